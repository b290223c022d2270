"""Tracked runs and a table's definition become one report per data set."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache

from cdkd.data.annotations.catalog import DATASETS
from cdkd.distill.losses.table import LOSSES
from cdkd.errors import CdkdError
from cdkd.report.aggregate import TableRow, aggregate_row, corrected_by_family, teacher_row, with_gap_closed
from cdkd.report.columns import Column, columns_of
from cdkd.report.notes import notes_below, unlabelled_warning
from cdkd.report.protocol import ComparableRuns, select, variants_of
from cdkd.report.published import figures_of_row
from cdkd.report.score_set import video_scores
from cdkd.report.statistics import MIN_SEEDS_TO_TEST
from cdkd.report.table_definition import RowDefinition, TableDefinition
from cdkd.report.tables.catalog import find_table
from cdkd.report.tables.extended import extended
from cdkd.report.teachers import teachers_of, teachers_of_block
from cdkd.report.tracked import Run
from cdkd.report.videos import ScoreLoader, VideoOutcomes, compare_videos, outcomes_of


@dataclass(frozen=True)
class Report:
    """A table, ready to be rendered."""

    table: TableDefinition
    dataset: str | None
    """Name of the data set that the measured columns come from; None: no run fits the table."""
    title: str
    subtitle: str
    """What was measured, and whether it may be compared with the published columns."""
    columns: Sequence[Column]
    rows: Sequence[TableRow]
    notes: Sequence[str]


def datasets_of(table: TableDefinition, runs: Sequence[Run]) -> list[str]:
    """Data sets with runs of this table, the one with the most first."""
    counts: dict[str, int] = {}
    for variant in variants_of(table, runs):
        name = variant.runs[0].dataset
        counts[name] = counts.get(name, 0) + len(variant.runs)
    return sorted(counts, key=lambda name: (-counts[name], name))


def build_reports(
    name: str,
    runs: Sequence[Run],
    scores: ScoreLoader | None = None,
    over_videos: bool | None = None,
    cells: Collection[str] = (),
    is_extended: bool = False,
) -> tuple[Report, ...]:
    """A table, once for each data set that has runs; once without measured figures when none has.

    Args:
        name: of the table.
        runs: those that it is made of.
        scores: reads per-video scores; without it rows are compared over seeds alone.
        over_videos: compare rows over seeds and test videos too, from two seeds on; None: from as many seeds on as a
            test needs, and unreadable scores are then a note instead of an error.
        cells: identities; where runs of several protocols could stand in the table, theirs do.
        is_extended: with rows for what others have published beside the paper's own rows.

    Raises:
        CdkdError: there is no such table, or per-video scores are missing or do not fit together.
    """
    table = extended(find_table(name)) if is_extended else find_table(name)
    elsewhere = [run for run in runs if not table.takes(run.dataset)]
    runs = [run for run in runs if table.takes(run.dataset)]
    measured = [run for run in runs if not run.is_search]
    searched = [run for run in runs if run.is_search]
    datasets: Sequence[str | None] = datasets_of(table, measured) or (None,)
    reports = [_build(table, dataset, measured, scores, over_videos, cells) for dataset in datasets]
    notes = _of_other_data(table, elsewhere)
    return tuple(
        replace(one, notes=[*one.notes, *_of_searches(table, one.dataset, searched), *notes]) for one in reports
    )


def _of_other_data(table: TableDefinition, runs: Sequence[Run]) -> list[str]:
    """Says of runs on data sets that are none of the table's where they stand."""
    names = sorted({run.dataset for run in runs if table.row_of(run.settings) is not None})
    if not names:
        return []
    return [f"Runs on {', '.join(names)} stand in a table of their own: cdkd report --table networks."]


def _of_searches(table: TableDefinition, dataset: str | None, searched: Sequence[Run]) -> list[str]:
    """Says of runs that would fit the table why they are not in it."""
    fits = [run for run in searched if table.row_of(run.settings) is not None and dataset in (None, run.dataset)]
    if not fits:
        return []
    return [
        f"Runs of searches, in no row: {len(fits)}. A search chooses its settings by results; a stage that lists its "
        "cells measures them."
    ]


def _build(
    table: TableDefinition,
    dataset: str | None,
    runs: Sequence[Run],
    scores: ScoreLoader | None,
    over_videos: bool | None,
    cells: Collection[str],
) -> Report:
    # 1. The runs that may stand in one table.
    here = [run for run in runs if run.dataset == dataset]
    comparable = select(variants_of(table, here), cells)
    # 2. Over seeds: means, spreads, paired differences.
    rows = [_row(table, row, here, comparable) for row in _rows_shown(table, comparable)]
    rows = [row for row in rows if row.teachers or not row.definition.is_own_teacher]
    return finished_report(table, dataset, _subtitle(table, dataset), rows, comparable, scores, over_videos)


def finished_report(
    table: TableDefinition,
    dataset: str | None,
    subtitle: str,
    rows: Sequence[TableRow],
    comparable: ComparableRuns,
    scores: ScoreLoader | None,
    over_videos: bool | None,
) -> Report:
    """Rows, aggregated over seeds each by itself, become a report; the arguments are those of `build_reports`.

    Raises:
        CdkdError: per-video scores that were asked for are missing or do not fit together.
    """
    # 1. Over seeds and test videos; it reads a file for each run of the rows that have seeds enough.
    problem = ""
    if scores is not None and over_videos is not False:
        try:
            # A baseline is compared with every row of its network, but read once.
            read = cache(lambda run_id: outcomes_of(video_scores(scores(run_id), f"run {run_id}")))
            least_seeds = 2 if over_videos else MIN_SEEDS_TO_TEST
            rows = [_with_videos(row, rows, read, least_seeds) for row in rows]
        except CdkdError as error:
            if over_videos:
                raise
            problem = f"Not compared over test videos: {error}."
    # 2. What needs all rows comes last.
    corrected = with_gap_closed(corrected_by_family(rows), own_teachers=table.is_study)
    return Report(
        table=table,
        dataset=dataset,
        title=table.title,
        subtitle=subtitle + unlabelled_warning(rows),
        columns=columns_of(table, corrected),
        rows=corrected,
        notes=[*notes_below(table, corrected, comparable), *([problem] if problem else [])],
    )


def _row(table: TableDefinition, row: RowDefinition, runs: Sequence[Run], comparable: ComparableRuns) -> TableRow:
    published = figures_of_row(table.name, row.key)
    if row.is_own_teacher:
        return teacher_row(row, teachers_of_block(row.block, comparable), published)
    if row.teacher is not None:
        return teacher_row(row, teachers_of(row.teacher, runs, comparable), published)
    return aggregate_row(row, comparable.chosen, published)


def _rows_shown(table: TableDefinition, comparable: ComparableRuns) -> list[RowDefinition]:
    """The table's rows, then the measured ones that it does not list, by network and by their weights."""
    known = {row.key for row in table.rows}
    added = [variant.row for key, variant in comparable.chosen.items() if key not in known]
    blocks = list(dict.fromkeys(row.block for row in (*table.rows, *added)))
    added.sort(
        key=lambda row: [blocks.index(row.block), *(row.losses.get(name) or 0.0 for name in LOSSES), len(row.key)]
    )
    return [*table.rows, *added]


def _with_videos(
    row: TableRow,
    rows: Sequence[TableRow],
    read: Callable[[str], VideoOutcomes],
    least_seeds: int,
) -> TableRow:
    by_key = {other.definition.key: other for other in rows}
    baselines = {name: by_key[key] for name, key in row.definition.baselines.items() if key in by_key}
    found = {name: compare_videos(row.runs, other.runs, read, least_seeds) for name, other in baselines.items()}
    return replace(row, videos={name: comparison for name, comparison in found.items() if comparison is not None})


def _subtitle(table: TableDefinition, dataset: str | None) -> str:
    has_published = bool(table.published_columns)
    if dataset is None:
        return f"No run has been tracked for this table{'; published figures only' if has_published else ''}."
    spec = DATASETS.get(dataset)
    measured = f"Measured on {spec.title if spec else dataset}"
    if not has_published:
        return f"{measured}."
    if spec and spec.published_name in {name for name, _ in table.published_columns}:
        return f"{measured}; compare with the published column of that data set, minding split and views."
    return f"{measured}, not comparable with the published columns."
