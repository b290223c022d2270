"""Tracked runs and a table's definition become one report per data set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from cdkd.errors import CdkdError
from cdkd.report.aggregate import TableRow, aggregate_row, correct_for_many_rows, teacher_row
from cdkd.report.columns import Column, columns_of
from cdkd.report.notes import notes_below
from cdkd.report.protocol import ComparableRuns, select, variants_of
from cdkd.report.published import figures_of_row
from cdkd.report.tables import TABLES, RowDefinition, TableDefinition
from cdkd.report.teachers import teachers_of
from cdkd.report.tracked import ReportError, Run
from cdkd.report.videos import ScoreLoader, compare_videos, correct_by_video

DATASET_TITLES = {
    "shapes": "shapes (embedded, synthetic)",
    "ucf101": "UCF-101",
    "hmdb51": "HMDB-51",
    "ssv2": "Something-Something V2",
    "kinetics400": "Kinetics-400",
    "folder": "a folder of videos",
}
_PUBLISHED_NAMES = {"ucf101": "UCF-101", "hmdb51": "HMDB-51", "ssv2": "SSV2", "kinetics400": "Kinetics-400"}


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


def table_definition(number: int) -> TableDefinition:
    """The definition of a table of the paper.

    Raises:
        ReportError: the paper has no such table.
    """
    if number not in TABLES:
        raise ReportError(f"table {number}: the paper has tables {', '.join(map(str, TABLES))}")
    return TABLES[number]


def datasets_of(table: TableDefinition, runs: Sequence[Run]) -> list[str]:
    """Data sets with runs of this table, the one with the most first."""
    counts: dict[str, int] = {}
    for variant in variants_of(table, runs):
        name = str(variant.protocol.get("data.name", "shapes"))
        counts[name] = counts.get(name, 0) + len(variant.runs)
    return sorted(counts, key=lambda name: (-counts[name], name))


def build_reports(
    number: int,
    runs: Sequence[Run],
    dataset: str | None = None,
    scores: ScoreLoader | None = None,
    over_videos: bool | None = None,
) -> tuple[Report, ...]:
    """A table of the paper, once for each data set that has runs; once without measured figures when none has.

    Args:
        dataset: only this one.
        scores: reads per-video scores; without it rows are compared over seeds alone.
        over_videos: compare rows over test videos too; None: where single seeds leave every difference without an
            interval, and unreadable scores are then a note instead of an error.

    Raises:
        CdkdError: the paper has no such table, or per-video scores are missing or do not fit together.
    """
    table = table_definition(number)
    names: Sequence[str | None] = [name for name in datasets_of(table, runs) if dataset in (None, name)]
    return tuple(_build(table, name, runs, scores, over_videos) for name in names or (None,))


def _build(
    table: TableDefinition,
    dataset: str | None,
    runs: Sequence[Run],
    scores: ScoreLoader | None,
    over_videos: bool | None,
) -> Report:
    here = [run for run in runs if run.settings.get("data.name", "shapes") == dataset]
    comparable = select(variants_of(table, here))
    rows = [_row(table, row, here, comparable) for row in _rows_shown(table, comparable)]
    problem = ""
    if scores is not None and (over_videos or (over_videos is None and _lacks_intervals(rows))):
        try:
            # A baseline is compared with every row of its network, but read once.
            outcomes = cache(lambda run_id: correct_by_video(scores(run_id)))
            rows = [_with_videos(row, rows, outcomes) for row in rows]
        except CdkdError as error:
            if over_videos:
                raise
            problem = f"Not compared over test videos: {error}."
    corrected = correct_for_many_rows(rows)
    return Report(
        table=table,
        dataset=dataset,
        title=f"Table {table.number}. {table.caption}",
        subtitle=_subtitle(table, dataset),
        columns=columns_of(table, corrected),
        rows=corrected,
        notes=[*notes_below(table, corrected, comparable), *([problem] if problem else [])],
    )


def _row(table: TableDefinition, row: RowDefinition, runs: Sequence[Run], comparable: ComparableRuns) -> TableRow:
    published = figures_of_row(table.number, row.key)
    if row.teacher is not None:
        return teacher_row(row, teachers_of(row.teacher, runs, comparable), published)
    return aggregate_row(row, comparable.chosen, published)


def _lacks_intervals(rows: Sequence[TableRow]) -> bool:
    differences = [row.difference for row in rows if row.difference]
    return bool(differences) and not any(difference.interval for difference in differences)


def _rows_shown(table: TableDefinition, comparable: ComparableRuns) -> list[RowDefinition]:
    """The table's rows, then the measured ones that the paper does not have, by their weights."""
    known = {row.key for row in table.rows}
    added = [variant.row for key, variant in comparable.chosen.items() if key not in known]
    added.sort(key=lambda row: [float(row.labels["lambda1"]), float(row.labels["lambda2"]), len(row.key)])
    return [*table.rows, *added]


def _with_videos(row: TableRow, rows: Sequence[TableRow], outcomes: Callable[[str], Mapping[str, bool]]) -> TableRow:
    baseline = next((other for other in rows if other.definition.key == row.definition.baseline), None)
    return replace(row, videos=compare_videos(row.runs, baseline.runs, outcomes)) if baseline else row


def _subtitle(table: TableDefinition, dataset: str | None) -> str:
    if dataset is None:
        return "No run has been tracked for this table; published figures only."
    title = DATASET_TITLES.get(dataset, dataset)
    if _PUBLISHED_NAMES.get(dataset) in {name for name, _ in table.published_columns}:
        return f"Measured on {title}; compare with the published column of that data set, minding split and views."
    return f"Measured on {title}, not comparable with the published columns."
