"""A table as text for a terminal: aligned columns, never a line that is wider than it."""

import string
import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from cdkd.report.assemble import Report
from cdkd.report.grid import Grid, grid_of, groups_of
from cdkd.report.panels import Panel, panels_of

TEXT_WIDTH = 120
_GAP, _NARROW_GAP = "  ", " "
_CUT = "…"


def render_text(report: Report, width: int = TEXT_WIDTH) -> str:
    """Aligned columns for a terminal of `width` characters.

    Where the columns do not fit beside each other they stand in panels below each other (`panels.py`).
    """
    grid = grid_of(report)
    number_width = len(str(len(grid.lines)))
    # What alone is wider than a terminal is cut: the other formats have all of it.
    most = max(1, width - number_width - 1)
    bodies = [
        [_cut(cell.text + (f" {cell.marks}" if cell.marks else ""), most) for cell in x.cells] for x in grid.lines
    ]
    headers = list(zip_longest(*(reversed(column.header.split("\n")) for column in report.columns), fillvalue=""))
    headers.reverse()
    texts = [[_cut(text, most) for text in line] for line in headers] + bodies
    widths = [max(len(line[index]) for line in texts) for index in range(len(report.columns))]
    # 1. One space between columns where that saves a panel, else two.
    panels, gap = panels_of(report.columns, bodies, widths, len(_GAP), width, number_width), _GAP
    narrow = panels_of(report.columns, bodies, widths, len(_NARROW_GAP), width, number_width)
    if len(narrow) < len(panels):
        panels, gap = narrow, _NARROW_GAP
    # 2. The panels, the notes once below all of them.
    output = [*textwrap.wrap(report.title, width), *textwrap.wrap(report.subtitle, width)]
    for panel in panels:
        output += ["", *_panel_lines(report, grid, panel, widths, texts, gap, width)]
    for letter, note in zip(string.ascii_lowercase, grid.footnotes, strict=False):
        output += textwrap.wrap(f"{letter} {note}", width, subsequent_indent="  ")
    for note in report.notes:
        output += textwrap.wrap(f"* {note}", width, subsequent_indent="  ")
    return "\n".join(output) + "\n"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + _CUT


def _panel_lines(
    report: Report,
    grid: Grid,
    panel: Panel,
    widths: Sequence[int],
    texts: Sequence[Sequence[str]],
    gap: str,
    width: int,
) -> list[str]:
    """A panel's groups, headers, rules and rows; `texts` are the headers' lines, then the rows."""
    columns = [report.columns[index] for index in panel.columns]
    own = [widths[index] for index in panel.columns]
    num_headers = len(texts) - len(grid.lines)
    # Row numbers stand at the left, outside of the groups.
    digits = len(str(len(grid.lines)))
    numbers = [*[""] * (num_headers - 1), "#", *map(str, range(1, len(grid.lines) + 1))]
    margins = [f"{number:>{digits}} " for number in numbers] if panel.is_numbered else [""] * len(texts)
    groups = _fitting_groups(own, groups_of(columns, report), gap, width - len(margins[0]))

    def aligned(line: Sequence[str]) -> str:
        parts = [
            line[index].ljust(room) if column.is_text else line[index].rjust(room)
            for index, room, column in zip(panel.columns, own, columns, strict=True)
        ]
        return gap.join(parts).rstrip()

    margin = " " * len(margins[0])
    rule = "-" * (len(margin) + _line_width(own, gap))
    lines = [f"{before}{aligned(line)}".rstrip() for before, line in zip(margins, texts, strict=True)]
    above = (margin + _group_line(own, groups, gap)).rstrip()
    output = [*([above] if above else []), *lines[:num_headers], rule]
    for row, line in zip(grid.lines, lines[num_headers:], strict=True):
        output += [*([""] if row.starts_section else []), line]
    return [*output, rule]


def _line_width(widths: Sequence[int], gap: str) -> int:
    return sum(widths) + len(gap) * (len(widths) - 1)


def _fitting_groups(
    widths: list[int], groups: Sequence[tuple[str, int]], gap: str, width: int
) -> list[tuple[str, int]]:
    """Widens columns for the header above them, as far as a line's `width` allows; the rest of the header is cut."""
    fitting, start = [], 0
    for name, span in groups:
        lacking = len(name) - _line_width(widths[start : start + span], gap)
        added = max(0, min(lacking, width - _line_width(widths, gap)))
        widths[start + span - 1] += added
        fitting.append((_cut(name, len(name) - lacking + added), span))
        start += span
    return fitting


def _group_line(widths: Sequence[int], groups: Sequence[tuple[str, int]], gap: str) -> str:
    parts, start = [], 0
    for name, span in groups:
        room = _line_width(widths[start : start + span], gap)
        parts.append(f" {name} ".center(room, "-") if name and room >= len(name) + 2 else name.center(room))
        start += span
    return gap.join(parts).rstrip()
