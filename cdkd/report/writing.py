"""Tables of a store: as records, as text, as files."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cdkd.atomic_write import atomic_write
from cdkd.report.assemble import Report, build_reports
from cdkd.report.figures.catalog import figure_bytes
from cdkd.report.render import TEXT_WIDTH, render
from cdkd.report.run_filter import runs_of_study, runs_on_dataset, runs_where
from cdkd.report.study_table import study_report
from cdkd.report.tables.catalog import find_table
from cdkd.report.tracked import ReportError, Run, read_runs
from cdkd.tracking.plans import load_plan
from cdkd.tracking.runs import load_runs, load_scores

_SUFFIXES = {"text": ".txt", "markdown": ".md", "csv": ".csv", "latex": ".tex", "html": ".html"}


def load_reports(
    tables: Sequence[str],
    tracking_uri: str | None = None,
    study: str | None = None,
    dataset: str | None = None,
    where: Mapping[str, Any] | None = None,
    over_videos: bool | None = None,
    cells: Collection[str] = (),
) -> dict[str, tuple[Report, ...]]:
    """The tables from the tracked runs by name, one report per data set; the store is read once.

    Args:
        tables: names of tables, such as "4" or "methods".
        tracking_uri: the store; None: `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.
        study: only this study's runs.
        dataset: only this data set's runs.
        where: only runs with these settings, by dotted key.
        over_videos: compare rows over seeds and test videos too, from the runs' scores; None: from six seeds on.
        cells: identities; where runs of several protocols could stand in a table, theirs do.

    Raises:
        CdkdError: no such store, no such table, or a filter that no run passes.
    """
    for table in tables:
        find_table(table)
    runs = _filtered(_study_runs(tracking_uri, study), dataset, where)
    scores = partial(load_scores, tracking_uri=tracking_uri)
    return {table: build_reports(table, runs, scores, over_videos, cells) for table in tables}


def load_study_report(
    study: str,
    tracking_uri: str | None = None,
    dataset: str | None = None,
    where: Mapping[str, Any] | None = None,
    over_videos: bool | None = None,
) -> Report:
    """The table of a study's own rows from the tracked runs; the arguments are those of `load_reports`.

    Raises:
        CdkdError: no such store, a study without runs, or a filter that no run passes.
    """
    runs = _filtered(_study_runs(tracking_uri, study), dataset, where)
    plan = load_plan(study, tracking_uri)
    return study_report(study, runs, plan, partial(load_scores, tracking_uri=tracking_uri), over_videos)


def _filtered(runs: Sequence[Run], dataset: str | None, where: Mapping[str, Any] | None) -> tuple[Run, ...]:
    return runs_where(runs if dataset is None else runs_on_dataset(runs, dataset), where or {})


def _study_runs(tracking_uri: str | None, study: str | None) -> tuple[Run, ...]:
    runs = read_runs(load_runs(tracking_uri, study))
    # All runs are read only where they must be listed.
    return runs if runs or study is None else runs_of_study(read_runs(load_runs(tracking_uri)), study)


def table_text(
    table: str,
    tracking_uri: str | None = None,
    study: str | None = None,
    width: int = TEXT_WIDTH,
    cells: Collection[str] = (),
) -> str:
    """A table as plain text, measured beside published where the paper has it; `cells` as in `load_reports`.

    Raises:
        CdkdError: no such store, no such table, or a study without runs.
    """
    return render(load_reports([table], tracking_uri, study, cells=cells)[table], "text", width)


def study_text(study: str, tracking_uri: str | None = None, width: int = TEXT_WIDTH) -> str:
    """A study's own table as plain text.

    Raises:
        CdkdError: no such store, or a study without runs.
    """
    return render([load_study_report(study, tracking_uri)], "text", width)


def write_tables(
    tables: Sequence[str],
    output_folder: Path,
    tracking_uri: str | None = None,
    study: str | None = None,
    cells: Collection[str] = (),
) -> list[Path]:
    """Writes tables in every format, with a figure where they have one; `cells` as in `load_reports`.

    Of a study its own table as well, behind the others.

    Returns:
        The files written: table4.txt, .md, .csv, .tex, .html and .png (table4-<data set>.png beyond the first); a table
        that the paper does not have is table-<name>.txt and so on, the study's study-<name>.txt.

    Raises:
        CdkdError: no such store, no such table, a study without runs, or a file that cannot be written.
    """
    written = []
    for reports in load_reports(tables, tracking_uri, study, cells=cells).values():
        written += _write(reports, output_folder)
    if study is not None:
        written += _write([load_study_report(study, tracking_uri)], output_folder)
    return written


def _write(reports: Sequence[Report], output_folder: Path) -> list[Path]:
    stem = reports[0].table.file_stem
    written = [
        write_report(output_folder / f"{stem}{suffix}", render(reports, format_name).encode())
        for format_name, suffix in _SUFFIXES.items()
    ]
    for index, report in enumerate(reports):
        picture = figure_bytes(report, "png")
        if picture is not None:
            path = output_folder / (f"{stem}.png" if index == 0 else f"{stem}-{report.dataset}.png")
            written.append(write_report(path, picture))
    return written


def write_report(path: Path, content: bytes) -> Path:
    """Writes a whole file; missing folders are made.

    Raises:
        ReportError: the file cannot be written.
    """
    try:
        atomic_write(path, content)
    except OSError as error:
        raise ReportError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path
