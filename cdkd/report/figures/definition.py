"""What a figure is, as data: its name, and how it is drawn from what is known of a study's runs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cdkd.report.assemble import Report
from cdkd.report.figures.style import Drawing


@dataclass(frozen=True)
class Evidence:
    """What figures are drawn from."""

    reports: Sequence[Report]
    """Tables."""


@dataclass(frozen=True)
class FigureDefinition:
    """One figure."""

    name: str
    """What `--figure` calls it."""
    title: str
    """In a few words, for lists."""
    drawings: Callable[[Evidence], Iterable[Drawing]]
    """One picture per data set, per network or however many the figure needs; none where nothing is known."""
    table: str = ""
    """Of which table it is the picture, from its figures alone; empty: of none."""


def table_figure(table: str, name: str, title: str, drawing: Callable[[Report], Drawing | None]) -> FigureDefinition:
    """A figure that shows a table: once for each data set that the table was measured on."""

    def drawings(evidence: Evidence) -> Iterable[Drawing]:
        found = [drawing(report) for report in evidence.reports if report.table.name == table]
        return [one for one in found if one is not None]

    return FigureDefinition(name, title, drawings, table)
