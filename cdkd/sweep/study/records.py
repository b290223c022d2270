"""What a study is: stages of axes and rows, checked, frozen and free of the file they came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ROWS_AXIS = "row"
"""Axis on which explicit rows carry their label."""

Overrides = Mapping[str, Any]
"""Dotted setting -> value."""


@dataclass(frozen=True)
class Axis:
    """One dimension of a stage's product."""

    name: str
    values: tuple[tuple[str, Overrides], ...]
    """(label, dotted overrides) in the file's order."""


@dataclass(frozen=True)
class LabelFilter:
    """Some labels on some axes; a cell is selected when every named axis agrees."""

    labels: tuple[tuple[str, frozenset[str]], ...]

    def selects(self, labels: Mapping[str, str]) -> bool:
        """True when the cell with these labels is among the selected."""
        return all(labels.get(axis) in wanted for axis, wanted in self.labels)


@dataclass(frozen=True)
class Best:
    """What a stage takes over from an earlier one."""

    stage: str
    metric: str
    mode: Literal["max", "min"]
    among: LabelFilter
    take: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """Cells that are planned together."""

    name: str
    base: Overrides
    axes: tuple[Axis, ...]
    rows: tuple[tuple[str, Overrides], ...]
    excluded: tuple[LabelFilter, ...]
    best: Best | None
    where: str
    """`file:line`, for errors that show only when cells are built."""


@dataclass(frozen=True)
class Study:
    """A study file, checked."""

    name: str
    description: str
    tables: tuple[str, ...]
    """Names of the tables that the finished sweep prints."""
    base: Overrides
    seeds: tuple[int, ...]
    stages: tuple[Stage, ...]
