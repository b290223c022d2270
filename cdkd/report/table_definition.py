"""What a table is, as data: its rows are matched to runs by the settings that were logged, never by a label."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from cdkd.data.annotations.catalog import DATASETS
from cdkd.distill.losses.table import LOSSES
from cdkd.effective_settings import active_losses
from cdkd.settings import RunConfig, flat_settings

if TYPE_CHECKING:
    from cdkd.report.aggregate import TableRow


@cache
def _defaults() -> Mapping[str, Any]:
    return flat_settings(RunConfig())


@dataclass(frozen=True)
class RowDefinition:
    """One row: which runs belong to it."""

    key: str
    """Joins the row with its published figures."""
    method: str
    settings: Mapping[str, Any] | None
    """What the row's runs were configured as, by dotted key, beside the losses; None: other authors' row, known from
    print only. Any setting may stand here, and is then an axis of the table."""
    losses: Mapping[str, float | None] = field(default_factory=dict)
    """The losses that take part, by name with their weight; None: any weight. No other loss may take part."""
    block: str = ""
    """Rows of one network; they share baselines and, except for the rows' own axes, every setting."""
    baselines: Mapping[str, str] = field(default_factory=dict)
    """The rows that this one is compared with: what tables call one -> its key. Each name heads a column; the rows of
    a block that have it are tested together."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Text of the label columns."""
    section: str = ""
    """A rule is drawn where it changes from row to row."""
    teacher: str | None = None
    """Architecture of the teacher whose accuracy the row shows; None: no such row."""
    is_own_teacher: bool = False
    """The row shows the teacher that the other rows of its block have learnt from, where they know what it reaches."""
    full_name: str = ""
    """The method with what sets it apart from rows of the same method; empty: nothing does."""
    study: str = ""
    """File of the study that has the row; empty: that of the table's first command."""

    @property
    def name(self) -> str:
        """How notes call the row."""
        return self.full_name or self.method

    def shows(self, settings: Mapping[str, Any]) -> bool:
        """A run with these logged settings belongs to the row; what was not logged has its default."""
        if self.settings is None:
            return False
        weights = active_losses(settings)
        return (
            weights.keys() == self.losses.keys()
            and all(_equal(weights[name], wanted) for name, wanted in self.losses.items() if wanted is not None)
            and all(_equal(_logged(settings, key), wanted) for key, wanted in self.settings.items())
        )


def _logged(settings: Mapping[str, Any], key: str) -> Any:
    return settings[key] if key in settings else _defaults()[key]


def _equal(value: Any, wanted: Any) -> bool:
    """Numbers are compared to nine digits."""
    if isinstance(wanted, float):
        return math.isclose(float(value), wanted, rel_tol=1e-9)
    return bool(value == wanted)


@dataclass(frozen=True)
class TableDefinition:
    """One table, of the paper or ours."""

    name: str
    """What `--table` and a study's `tables` call it; the paper's have its numbers."""
    caption: str
    label_columns: Sequence[tuple[str, str]]
    """(key in RowDefinition.labels, header)."""
    published_columns: Sequence[tuple[str, str]]
    """(data set, top1, top5 or gflops); empty: a table that the paper does not have."""
    rows: Sequence[RowDefinition]
    free_row: Callable[[Mapping[str, Any]], RowDefinition | None] | None = None
    """Makes a row of its own for a run, by its logged settings, that fits none of `rows`; None where it must not."""
    weights_by_row: bool = False
    """Each row has the weights that suit it best, which a column shows; else rows with a loss in common share them."""
    own_notes: Callable[[Sequence["TableRow"]], list[str]] | None = None
    """Notes that only this table has, from its measured rows."""
    remarks: Sequence[str] = ()
    """Sentences below the table, whatever was measured."""
    commands: Sequence[str] = ()
    """What fills its measured columns, where no run does."""
    is_on_own_data: bool = False
    """Only runs on the data sets of its published columns stand in it."""
    measured_labels: Callable[[Mapping[str, Any]], Mapping[str, str]] | None = None
    """Texts of label columns as a run's logged settings tell them; they stand before what the row itself says."""
    has_costs: bool = False
    """A column shows what a video costs."""
    is_study: bool = False
    """Its rows are the cells of one study, which may differ in whatever the study varies (`study_table.py`)."""

    @property
    def title(self) -> str:
        """The caption, behind the number of a table of the paper."""
        return f"Table {self.name}. {self.caption}" if self.is_numbered else self.caption

    @property
    def is_numbered(self) -> bool:
        """The table is one of the paper's."""
        return self.name.isdigit()

    @property
    def file_stem(self) -> str:
        """Name of its files without suffix."""
        if self.is_study:
            return self.name
        return f"table{self.name}" if self.is_numbered else f"table-{self.name}"

    def takes(self, dataset: str) -> bool:
        """Runs on this data set may stand in the table."""
        spec = DATASETS.get(dataset)
        published = {name for name, _ in self.published_columns}
        return not self.is_on_own_data or (spec is not None and spec.published_name in published)

    @property
    def baseline_names(self) -> tuple[str, ...]:
        """What its rows are compared with, in the rows' order; each is a question of its own."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.baselines))

    @property
    def own_settings(self) -> frozenset[str]:
        """Settings that tell its rows apart, and so are no part of the protocol that all rows must share."""
        rows = [row for row in self.rows if row.settings is not None]
        axes = {key for row in rows for key in row.settings or {}}
        weights = {name for row in rows for name, weight in row.losses.items() if weight is not None}
        return frozenset(axes | {f"distill.{name}.weight" for name in weights})

    @property
    def free_settings(self) -> frozenset[str]:
        """Weights that two rows may differ in; within a row they still set runs apart."""
        return frozenset(f"distill.{name}.weight" for name in LOSSES) if self.weights_by_row else frozenset()

    def row_of(self, settings: Mapping[str, Any]) -> RowDefinition | None:
        """The row of a run with these logged settings; None for a run that the table has no row for."""
        for row in self.rows:
            if row.shows(settings):
                return row
        return self.free_row(settings) if self.free_row is not None else None
