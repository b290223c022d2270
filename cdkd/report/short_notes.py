"""As few sentences below a table as let a reader read it right, for papers and narrow places."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from cdkd.report.aggregate import TableRow
from cdkd.report.assemble import Report
from cdkd.report.columns import Column, TableCell

NotesAmount = Literal["full", "short", "none"]
NOTES_AMOUNTS: tuple[NotesAmount, ...] = get_args(NotesAmount)


def with_notes(report: Report, amount: NotesAmount) -> Report:
    """The report with all of its notes, with the few that stand in for them, or without any, footnotes included."""
    if amount == "full":
        return report
    if amount == "short":
        return replace(report, notes=short_notes(report))
    return replace(report, notes=(), columns=[_without_footnotes(column) for column in report.columns])


def _without_footnotes(column: Column) -> Column:
    return replace(column, cell=lambda row: TableCell(column.cell(row).text))


def short_notes(report: Report) -> tuple[str, ...]:
    """What the figures mean, whether they are complete, and where printed ones come from."""
    measured = [row for row in report.rows if row.finished]
    notes = []
    if measured:
        videos = {run.metadata.get("num_test_videos") for row in measured for run in row.finished}
        number = f", {int(next(iter(videos)) or 0):,} test videos" if len(videos) == 1 and None not in videos else ""
        notes.append(f"Mean ± sample deviation (number of seeds){number}.")
        notes += _comparisons(report, measured)
        notes += _warnings(report.rows)
    printed = [figure for row in report.rows for figure in row.published]
    sources = sorted({figure.source.partition(", Table")[0] for figure in printed if not figure.evidence})
    notes += [note for note in report.notes if note.startswith(("Evidence: ", "Sources: "))]
    return (*notes, *([f"Published: {'; '.join(sources)}."] if sources else []))


def _comparisons(report: Report, rows: Sequence[TableRow]) -> list[str]:
    names = [name for name in report.table.baseline_names if any(name in row.differences for row in rows)]
    if not names:
        return []
    found = [difference for row in rows for difference in row.differences.values()]
    if any(difference.p_value is not None for difference in found):
        meaning = ", with simultaneous 95 % intervals; p: paired t-test with Holm's correction."
    elif any(difference.interval for difference in found):
        meaning = ", with 95 % t intervals; too few seeds to test."
    else:
        meaning = "; one seed tests nothing."
    notes = [f"Over {', over '.join(names)}: points above that row, paired by seed{meaning}"]
    if any(row.gap_closed is not None for row in rows):
        notes.append("Gap closed: share of the way to the teacher.")
    return notes


def _warnings(rows: Sequence[TableRow]) -> list[str]:
    runs = [run for row in rows for run in row.runs]
    every_seed = {run.seed for run in runs}
    asked = [row for row in rows if row.definition.settings is not None and not row.teachers]
    lacking = [row for row in asked if ({*row.planned_seeds} or every_seed) - {run.seed for run in row.finished}]
    notes = [f"Not complete: {len(lacking)} of {len(asked)} rows lack seeds."] if lacking else []
    codes = {run.code for run in runs if run.is_finished}
    if len(codes) > 1:
        notes.append(f"Warning: the rows come from {len(codes)} code versions.")
    if any(run.dirty for run in runs):
        notes.append("Warning: some runs came from code with uncommitted changes.")
    return notes
