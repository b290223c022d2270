"""What a study is: stages of axes and rows, checked, frozen and free of the file they came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cdkd.experiment.underlay import Underlay

ROWS_AXIS = "row"
"""Axis on which explicit rows carry their label."""

SUGGESTION_AXIS = "point"
"""Axis on which the cells of a search carry the number of their suggestion."""

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
class Condition:
    """Where an axis or a row applies: all of it must hold."""

    labels: LabelFilter
    """On axes that stand before."""
    settings: tuple[tuple[str, tuple[Any, ...]], ...]
    """(dotted setting, the values that it may have)."""

    def holds(self, labels: Mapping[str, str], settings: Mapping[str, Any]) -> bool:
        """For a combination so far: its labels, and the settings that it has where they are not the defaults'."""
        return self.labels.selects(labels) and all(settings[key] in values for key, values in self.settings)


@dataclass(frozen=True)
class Best:
    """What a stage takes over from an earlier one."""

    stage: str
    metric: str
    mode: Literal["max", "min"]
    among: LabelFilter
    take: tuple[str, ...]


@dataclass(frozen=True)
class Range:
    """A setting that a search varies, and what it may be."""

    setting: str
    low: float = 0.0
    """Whole where the setting is."""
    high: float = 0.0
    is_log: bool = False
    """Searched by orders of magnitude."""
    step: float | None = None
    choices: tuple[Any, ...] = ()
    """In place of all of these: single values."""


@dataclass(frozen=True)
class Search:
    """How a stage finds its cells one after the other, instead of listing them."""

    sampler: Literal["tpe", "random", "qmc", "gp"]
    num_trials: int
    """Suggestions; each is a cell per seed."""
    pruner: Literal["none", "median", "hyperband", "wilcoxon"]
    metric: str
    """More is better; compared by its mean over the seeds."""
    over: tuple[Range, ...]
    seeds: tuple[int, ...]
    """Of every suggestion's cells."""
    num_startup_trials: int
    """Suggestions that are drawn at random before the sampler learns from results."""
    sampler_seed: int


@dataclass(frozen=True)
class Stage:
    """Cells that are planned together."""

    name: str
    base: Overrides
    dimensions: tuple[tuple[Axis, ...], ...]
    """What the product runs over: each an axis, or several of equal length whose values go together."""
    rows: tuple[tuple[str, Overrides], ...]
    excluded: tuple[LabelFilter, ...]
    best: Best | None
    where: str
    """`file:line`, for errors that show only when cells are built."""
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    """Name of an axis, or label of a row -> where it applies; the others apply everywhere."""
    only: LabelFilter = LabelFilter(())
    """Which of the cells were asked for."""
    search: Search | None = None
    """Where the stage has neither axes nor rows."""

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Every axis, in the order in which labels are shown."""
        return tuple(axis for dimension in self.dimensions for axis in dimension)

    @property
    def labels(self) -> dict[str, list[str]]:
        """Axis -> its labels; explicit rows are an axis of their own."""
        known = {axis.name: [label for label, _ in axis.values] for axis in self.axes}
        if self.rows:
            known.setdefault(ROWS_AXIS, []).extend(label for label, _ in self.rows)
        return known


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
    underlay: Underlay = field(default_factory=Underlay)
    """The recipe and the teachers' files, on which the cells stand."""
    only_with_file: frozenset[str] = frozenset()
    """Teachers whose cells are part of the study only where their file is given."""
    source: str = field(default="", compare=False)
    """The file's text; of a study that extends another, what both make together."""

    def lacks_file_of(self, values: Overrides) -> bool:
        """A cell with these settings is none, since it needs a teacher's file that nobody gave.

        Args:
            values: the cell's own settings by dotted key.
        """
        arch = values.get("teacher.arch")
        files = self.underlay.for_run(values).files
        is_given = arch in files or "teacher.checkpoint" in values or "teacher.weights" in values
        return arch in self.only_with_file and not is_given
