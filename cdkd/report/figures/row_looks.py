"""How rows are told apart where each is a line or a mark: one look per row, and what a figure calls it."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdkd.report.aggregate import TableRow
from cdkd.report.figures.style import GREY, MARKERS, SERIES

_STYLES = ("-", "--", ":", "-.")
MAX_ROWS = 20
"""More looks than these nobody tells apart."""


@dataclass(frozen=True)
class Look:
    """Of one row."""

    colour: str
    line: str
    marker: str


def row_looks(rows: Sequence[TableRow]) -> list[Look]:
    """A look for each row: grey for what learns from no teacher, a colour for each that does, then another dash."""
    colours = [colour for colour in SERIES if colour != GREY]
    num_grey = num_taught = 0
    looks: list[Look] = []
    for row in rows:
        if row.weights:
            place, kinds = num_taught, len(colours)
            colour = colours[place % kinds]
            num_taught += 1
        else:
            place, kinds = num_grey, 1
            colour = GREY
            num_grey += 1
        looks.append(Look(colour, _STYLES[place // kinds % len(_STYLES)], MARKERS[len(looks) % len(MARKERS)]))
    return looks


def row_names(rows: Sequence[TableRow]) -> list[str]:
    """What a figure calls rows of one table: their names without what all of them begin with, up to a comma."""
    names = [row.definition.name for row in rows]
    while len(names) > 1:
        heads = {name.partition(", ")[0] for name in names}
        if len(heads) > 1 or not all(", " in name for name in names):
            break
        names = [name.partition(", ")[2] for name in names]
    return names


def left_out(rows: Sequence[TableRow]) -> str:
    """A sentence on the rows beyond `MAX_ROWS`; empty where there are none."""
    more = len(rows) - MAX_ROWS
    return f" Only the first {MAX_ROWS} rows are drawn; {more} more are in the table." if more > 0 else ""
