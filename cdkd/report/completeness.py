"""What a table's rows lack, and which command adds it, as notes."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from cdkd.report.aggregate import TableRow
from cdkd.report.table_definition import TableDefinition
from cdkd.report.tracked import Run


def seeds_text(seeds: Sequence[int]) -> str:
    """One seed or several, in words."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def unfinished(rows: Sequence[TableRow]) -> list[str]:
    """Says which runs stand in no mean, and which rows have none."""
    every_seed = {run.seed for row in rows for run in row.runs}
    by_status: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        seeds: dict[str, list[int]] = defaultdict(list)
        for run in row.runs:
            if not run.is_finished:
                seeds[run.status_text].append(run.seed)
        if row.runs:
            expected = {*row.planned_seeds} or every_seed
            seeds["missing"] += sorted(expected - {run.seed for run in row.runs})
        for status, numbers in seeds.items():
            if numbers:
                by_status[status].append(f"{row.definition.name}: {seeds_text(numbers)}")
    notes = [f"Runs in no mean, {status}: {'; '.join(texts)}." for status, texts in sorted(by_status.items())]
    where = [
        f"{row.definition.name}, seed {run.seed} {run.metadata['diverged']}"
        for row in rows
        for run in row.runs
        if "diverged" in run.metadata
    ]
    if where:
        notes.append(f"Diverged: {'; '.join(where)}.")
    without_run = [row.definition.name for row in rows if row.definition.settings is not None and not row.runs]
    if without_run and every_seed:
        notes.append(f"No run: {'; '.join(without_run)}.")
    return notes


def completeness(table: TableDefinition, rows: Sequence[TableRow]) -> list[str]:
    """Says that every row has every seed, by one code on one version of the data, or which command adds the rest."""
    asked = [row for row in rows if row.definition.settings is not None and not row.teachers]
    runs = [run for row in asked for run in row.runs]
    every_seed = {run.seed for run in runs}
    lacking = [row for row in asked if ({*row.planned_seeds} or every_seed) - {run.seed for run in row.finished}]
    if not runs:
        return []
    if not lacking:
        codes = {run.code for run in runs}
        data = {run.metadata.get("dataset_hash") or run.metadata.get("dataset_version") for run in runs}
        numbers = sorted({len(row.finished) for row in asked})
        seeds = " to ".join(map(str, numbers[:: max(1, len(numbers) - 1)]))
        versions = [f"{_count(len(found), what)}" for found, what in ((codes, "code version"), (data, "data version"))]
        return [f"Complete: {_count(len(asked), 'row')} x {seeds} seeds finished, {', '.join(versions)}."]
    seeds = ",".join(map(str, sorted(every_seed.union(*(row.planned_seeds for row in asked)))))
    by_study: dict[str, list[TableRow]] = defaultdict(list)
    for row in lacking:
        by_study[row.definition.study].append(row)
    commands = "; ".join(_adding(table, study, found, seeds, runs) for study, found in by_study.items())
    return [f"Not complete. What adds the rest, beside the options that its study was started with: {commands}."]


def _adding(
    table: TableDefinition, study: str, lacking: Sequence[TableRow], seeds: str, every_run: Sequence[Run]
) -> str:
    """The command that adds what rows of one study lack."""
    runs = [run for row in lacking for run in row.runs]
    having_all = set.intersection(*({run.study for run in row.runs} for row in lacking))
    if table.commands and not having_all:
        # Rows that no study has all of, or that nobody has asked for yet, are those of the study that belongs to the
        # table.
        command = next((one for one in table.commands if study in one.split()), table.commands[0])
    else:
        studies = Counter(run.study for run in runs or every_run if not having_all or run.study in having_all)
        command = f"cdkd sweep {studies.most_common(1)[0][0]}"
    has_failed = any(run.status == "failed" for run in runs)
    return f"{command} --seeds {seeds}{' --retry-failed' if has_failed else ''}"


def _count(number: int, noun: str) -> str:
    return f"{'one' if number == 1 else number} {noun}{'' if number == 1 else 's'}"
