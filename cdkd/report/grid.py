"""A report's cells as texts with the letters of their footnotes, the same for every format that people read."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from cdkd.report.assemble import Report
from cdkd.report.columns import Column


@dataclass(frozen=True)
class GridCell:
    """A cell's text and the letters of its footnotes."""

    column: Column
    text: str
    marks: str


@dataclass(frozen=True)
class GridLine:
    """One row of cells."""

    cells: Sequence[GridCell]
    starts_section: bool
    """A rule belongs above it."""


@dataclass(frozen=True)
class Grid:
    """A report's cells as texts, the same for every format."""

    lines: Sequence[GridLine]
    footnotes: Sequence[str]
    """The n-th belongs to the n-th letter."""
    groups: Sequence[tuple[str, int]]
    """(header, number of columns) of neighbouring columns."""


def grid_of(report: Report) -> Grid:
    """Calls every column on every row, and numbers the footnotes in reading order."""
    footnotes: list[str] = []
    lines = []
    section = report.rows[0].definition.section if report.rows else ""
    for row in report.rows:
        cells = []
        for column in report.columns:
            cell = column.cell(row)
            footnotes += [note for note in cell.notes if note not in footnotes]
            marks = "".join(string.ascii_lowercase[footnotes.index(note)] for note in cell.notes)
            cells.append(GridCell(column, cell.text, marks))
        lines.append(GridLine(cells, row.definition.section != section))
        section = row.definition.section
    return Grid(lines, footnotes, groups_of(report.columns, report))


def groups_of(columns: Sequence[Column], report: Report) -> list[tuple[str, int]]:
    """(header, number of columns) of neighbouring columns of one group."""
    groups = [(name, len(list(members))) for name, members in groupby(column.group for column in columns)]
    return [(_group_title(name, report), span) for name, span in groups]


def _group_title(group: str, report: Report) -> str:
    return f"measured on {report.dataset}" if group == "measured" and report.dataset else group
