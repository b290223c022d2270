"""A study's own table: a row for each of its cells, a column for each of its axes, the statistics of every table."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from cdkd.data.annotations.catalog import DATASETS
from cdkd.effective_settings import active_losses
from cdkd.report.aggregate import aggregate_row
from cdkd.report.assemble import Report, finished_report
from cdkd.report.protocol import (
    ComparableRuns,
    Variant,
    is_shared_by_blocks,
    one_per_seed,
    protocol_of,
    shared_metadata,
)
from cdkd.report.table_definition import RowDefinition, TableDefinition
from cdkd.report.tables.networks import OVER_DECODER, OVER_PLAIN
from cdkd.report.tracked import Run
from cdkd.report.videos import ScoreLoader
from cdkd.tracking.plans import PlannedCell
from cdkd.tracking.tracker import label_text

OVER_FIRST = "first row"
"""What rows are compared with where a study has none without distillation."""
STUDY_PREFIX = "study-"
"""Of the name of a study's own table."""
_STAGE = "stage of the study"
"""Key of the column that tells stages apart; no axis can be called so, since names hold no blank."""
_UNLABELLED = ("data.unlabelled", "data.unlabelled_videos")
"""Data that only a row with a teacher can learn from: the one without is compared with it all the same."""
_NETWORK = ("student.model", "student.arch", "student.streams")


@dataclass(frozen=True)
class _StudyRow:
    """The cells of a study that differ in the seed alone."""

    stage: str
    labels: Mapping[str, str]
    cells: Mapping[str, int]
    """Identity -> seed."""
    runs: tuple[Run, ...]
    """One per seed that has any."""

    @property
    def key(self) -> str:
        return f"{self.stage}: {label_text(self.labels)}"

    @property
    def is_search(self) -> bool:
        return bool(self.runs) and all(run.is_search for run in self.runs)

    @cached_property
    def protocol(self) -> dict[str, Any]:
        """Settings and found metadata that can change a result; empty where nothing ran."""
        told = [run for run in self.runs if run.is_finished] or self.runs[:1]
        return protocol_of(told[0].settings, frozenset()) | shared_metadata(told[0]) if told else {}

    @cached_property
    def losses(self) -> dict[str, float]:
        return active_losses(self.runs[0].settings) if self.runs else {}

    @property
    def has_decoder(self) -> bool:
        return bool(self.protocol.get("student.decoder"))

    @cached_property
    def network(self) -> frozenset[tuple[str, Any]]:
        """What two rows must share to be compared: data, test protocol, the student's streams."""
        items = self.protocol.items()
        shared = (item for item in items if item[0] in _NETWORK or is_shared_by_blocks(item[0]))
        return frozenset(item for item in shared if item[0] not in _UNLABELLED)


def study_report(
    study: str,
    runs: Sequence[Run],
    plan: Sequence[PlannedCell] = (),
    scores: ScoreLoader | None = None,
    over_videos: bool | None = None,
) -> Report:
    """The table of one study.

    A row is compared, seed by seed, with the row that learns from no teacher, on the same data, with the same test
    and student streams, and else as like it as any: the one without pseudo-decoder, and the one with it. Where a study
    has neither, with its first row. What a search has suggested is shown and compared with nothing.

    Args:
        study: its name.
        runs: of the study, those included that it adopted; at least one.
        plan: the cells that it was asked for; runs of other cells follow, where no cell has their labels.
        scores: as of `build_reports`.
        over_videos: as of `build_reports`.

    Raises:
        CdkdError: as `build_reports` says.
    """
    found = _rows(runs, plan)
    blocks = _blocks(found.rows)
    definitions = [
        RowDefinition(
            key=row.key,
            method=label_text(row.labels),
            settings={},
            losses=row.losses,
            block=blocks[row.network],
            baselines=baselines,
            labels={_STAGE: row.stage, **row.labels},
            section=row.stage,
            full_name=row.key if found.has_stages else "",
        )
        for row, baselines in zip(found.rows, _baselines(found.rows), strict=True)
    ]
    chosen = {
        definition.key: Variant(definition, row.protocol, {}, row.runs)
        for definition, row in zip(definitions, found.rows, strict=True)
        if row.runs
    }
    table = TableDefinition(
        name=f"{STUDY_PREFIX}{study}",
        caption=f"Study {study}",
        label_columns=_label_columns(found),
        published_columns=(),
        rows=definitions,
        remarks=found.notes,
        is_study=True,
    )
    rows = [
        replace(aggregate_row(definition, chosen, ()), planned_seeds=sorted(row.cells.values()))
        for definition, row in zip(definitions, found.rows, strict=True)
    ]
    datasets = list(dict.fromkeys(run.dataset for row in found.rows for run in row.runs))
    titles = [spec.title if (spec := DATASETS.get(name)) else name for name in datasets]
    subtitle = f"Measured on {' and '.join(titles)}."
    comparable = ComparableRuns(chosen, ())
    return finished_report(table, " and ".join(datasets), subtitle, rows, comparable, scores, over_videos)


@dataclass(frozen=True)
class _Found:
    """The rows of a study, and what is to be said of those that it does not show."""

    rows: tuple[_StudyRow, ...]
    notes: list[str] = field(default_factory=list)

    @property
    def has_stages(self) -> bool:
        return len({row.stage for row in self.rows}) > 1


def _rows(runs: Sequence[Run], plan: Sequence[PlannedCell]) -> _Found:
    by_cell: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_cell[run.cell].append(run)
    # 1. What was asked for, in the study's order.
    asked: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, int]] = defaultdict(dict)
    for cell in plan:
        asked[cell.stage, tuple(cell.labels.items())][cell.cell] = cell.seed
    rows: list[_StudyRow] = []
    notes = []
    for (stage, labels), cells in asked.items():
        own = one_per_seed(run for cell in cells for run in by_cell.get(cell, ()))
        row = _StudyRow(stage, dict(labels), cells, own)
        # A stage may take over, or list again, what another has run.
        if earlier := next((other for other in rows if cells.keys() <= other.cells.keys()), None):
            notes.append(f"Row {row.key}: the same runs as {earlier.key}.")
        else:
            rows.append(row)
    # 2. Other runs, where the last sweep was asked for a part of the study; of equal labels the youngest settings.
    known = {cell for row in rows for cell in row.cells}
    # A run's labels come from its tags, which have an order of their own.
    is_asked = {(stage, frozenset(labels)) for stage, labels in asked}
    others: dict[tuple[str, tuple[tuple[str, str], ...]], dict[object, list[Run]]] = defaultdict(dict)
    for run in sorted(runs, key=lambda run: run.started):
        if run.cell not in known:
            settings = frozenset(protocol_of(run.settings, frozenset()).items())
            others[run.stage, tuple(run.labels.items())].setdefault(settings, []).append(run)
    num_replaced = 0
    for (stage, labels), by_settings in others.items():
        youngest = [*by_settings.values()][-1]
        if (stage, frozenset(labels)) in is_asked:
            youngest = []
        else:
            cells = {run.cell: run.seed for run in youngest}
            rows.append(_StudyRow(stage, dict(labels), cells, one_per_seed(youngest)))
        num_replaced += sum(map(len, by_settings.values())) - len(youngest)
    if num_replaced:
        notes.append(f"Runs with settings that the study has no longer, left out: {num_replaced}.")
    if searched := [row for row in rows if row.is_search]:
        stages = ", ".join(dict.fromkeys(row.stage for row in searched))
        notes.append(f"Stage {stages}: a search suggested these rows by results, and they are compared with nothing.")
    # Stage by stage, in the order in which they first stand.
    order = {stage: place for place, stage in enumerate(dict.fromkeys(row.stage for row in rows))}
    return _Found(tuple(sorted(rows, key=lambda row: order[row.stage])), notes)


def _label_columns(found: _Found) -> list[tuple[str, str]]:
    axes = dict.fromkeys(axis for row in found.rows for axis in row.labels)
    stage = [(_STAGE, "stage")] if found.has_stages else []
    return [*stage, *((axis, _header(axis)) for axis in axes)]


def _header(axis: str) -> str:
    """An axis's name; of a setting's its last two words, below each other."""
    return "\n".join(axis.replace("_", " ").split(".")[-2:])


def _blocks(rows: Sequence[_StudyRow]) -> dict[frozenset[tuple[str, Any]], str]:
    """What can be compared is a block, called by its architecture; several of one architecture are numbered."""
    names: dict[frozenset[tuple[str, Any]], str] = {}
    for row in rows:
        if row.network not in names:
            arch = str(row.protocol.get("student.arch", ""))
            alike = sum(name.partition(" ")[0] == arch for name in names.values())
            names[row.network] = f"{arch} {alike + 1}" if alike else arch
    return names


def _baselines(rows: Sequence[_StudyRow]) -> list[dict[str, str]]:
    """For each row what it is compared with: name of the comparison -> key of the row."""
    shown = [row for row in rows if row.runs and not row.is_search]
    undistilled = [row for row in shown if not row.losses]
    found: list[dict[str, str]] = []
    for row in rows:
        own: dict[str, str] = {}
        if row in shown:
            plain = _most_alike(row, (other for other in undistilled if not other.has_decoder))
            decoder = _most_alike(row, (other for other in undistilled if other.has_decoder))
            if plain is not None and (row.losses or row.has_decoder):
                own[OVER_PLAIN] = plain.key
            if decoder is not None and row.losses:
                own[OVER_DECODER] = decoder.key
        found.append(own)
    # A network of which nothing is compared yet: its rows are compared with its first.
    compared = {row.network for row, own in zip(rows, found, strict=True) if own}
    for index, row in enumerate(rows):
        first = next((other for other in shown if other.network == row.network), None)
        if row in shown and row.network not in compared and first is not None and first is not row:
            found[index][OVER_FIRST] = first.key
    return found


def _most_alike(row: _StudyRow, others: Iterable[_StudyRow]) -> _StudyRow | None:
    """The comparable row with the fewest other settings; of equals the study's first."""

    def distance(other: _StudyRow) -> int:
        keys = row.protocol.keys() & other.protocol.keys()
        return sum(row.protocol[key] != other.protocol[key] for key in keys)

    return min((other for other in others if other.network == row.network), key=distance, default=None)
