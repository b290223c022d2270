"""Columns that do not fit beside each other stand in panels below each other, each of which names its rows.

names a b c d     ->     names a b     or, where even the names are too wide,     # name
                         names c d                                                # name
                                                                                  # a b c
                                                                                  # d
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cdkd.report.columns import Column


@dataclass(frozen=True)
class Panel:
    """Columns that stand beside each other."""

    columns: tuple[int, ...]
    """Their places in the table."""
    is_numbered: bool = False
    """A number at its left tells the rows of several panels together, since their names would not fit."""


def panels_of(
    columns: Sequence[Column],
    names: Sequence[Sequence[str]],
    widths: Sequence[float],
    gap: float,
    limit: float,
    number_width: float,
) -> list[Panel]:
    """Distributes a table's columns, in their order, to as few panels as they fit in.

    What is read together, such as a difference and its p, stays together. The first panel has every column that names
    rows; the others have those of them that it takes to tell the rows apart.

    Args:
        columns: of the table.
        names: for each row, the texts of all columns.
        widths: of the columns.
        gap: between two of them.
        limit: width of a panel.
        number_width: of a column of row numbers.
    """
    naming = [index for index, column in enumerate(columns) if column.is_text]
    units = _units(columns, naming)
    telling = _telling(naming, names)

    def width(indices: Sequence[int]) -> float:
        return sum(widths[index] for index in indices) + gap * (len(indices) - 1)

    # 1. As they are, where names leave room for the widest of the others.
    if all(width([*telling, *unit]) <= limit for unit in units) and width([*naming, *units[0]]) <= limit:
        panels = [[*naming]]
        for unit in units:
            if width([*panels[-1], *unit]) > limit:
                panels.append([*telling])
            panels[-1] += unit
        return [Panel(tuple(sorted(panel))) for panel in panels]
    # 2. By number: all columns alike, those that name rows first.
    room = limit - number_width - gap
    numbered: list[list[int]] = [[]]
    for unit in [*([index] for index in naming), *units]:
        for part in [unit] if width(unit) <= room else [[index] for index in unit]:
            if numbered[-1] and width([*numbered[-1], *part]) > room:
                numbered.append([])
            numbered[-1] += part
    return [Panel(tuple(panel), is_numbered=True) for panel in numbered]


def _units(columns: Sequence[Column], naming: Sequence[int]) -> list[list[int]]:
    """The other columns, together where they are read together."""
    units: list[list[int]] = []
    for index, column in enumerate(columns):
        if index not in naming:
            if column.follows and units:
                units[-1].append(index)
            else:
                units.append([index])
    return units or [[]]


def _telling(naming: Sequence[int], names: Sequence[Sequence[str]]) -> list[int]:
    """Of the columns that name rows as few as tell apart what all of them do; the last are the first to go."""

    def num_told(indices: Sequence[int]) -> int:
        return len({tuple(row[index] for index in indices) for row in names})

    kept = [*naming]
    for index in reversed(naming):
        fewer = [each for each in kept if each != index]
        if fewer and num_told(fewer) == num_told(naming):
            kept = fewer
    return kept
