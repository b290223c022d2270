"""Tracked runs become the paper's tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cdkd.report.assemble import Report

_SUFFIXES = {"text": ".txt", "markdown": ".md", "csv": ".csv", "latex": ".tex", "html": ".html"}


def load_reports(
    tables: Sequence[int],
    tracking_uri: str | None = None,
    study: str | None = None,
    dataset: str | None = None,
    where: Mapping[str, Any] | None = None,
    over_videos: bool | None = None,
) -> "dict[int, tuple[Report, ...]]":
    """The tables from the tracked runs, one report per data set; the store is read once.

    Args:
        tracking_uri: the store; None: `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.
        study: only this study's runs.
        dataset: only this data set's runs.
        where: only runs with these settings, by dotted key.
        over_videos: compare rows over test videos too, from the runs' scores; None: where there is one seed only.

    Raises:
        CdkdError: no such store, no such table, or a setting that no run has.
    """
    from functools import partial

    from cdkd.report.assemble import build_reports, table_definition
    from cdkd.report.protocol import runs_where
    from cdkd.report.tracked import read_runs
    from cdkd.tracking.runs import load_runs, load_scores

    for table in tables:
        table_definition(table)
    runs = runs_where(read_runs(load_runs(tracking_uri, study)), where or {})
    scores = partial(load_scores, tracking_uri=tracking_uri)
    return {table: build_reports(table, runs, dataset, scores, over_videos) for table in tables}


def table_text(table: int, tracking_uri: str | None = None, study: str | None = None) -> str:
    """A table of the paper as plain text, measured beside published.

    Raises:
        CdkdError: no such store, or no such table.
    """
    from cdkd.report.render import render

    return render(load_reports([table], tracking_uri, study)[table], "text")


def write_tables(
    tables: Sequence[int], output_folder: Path, tracking_uri: str | None = None, study: str | None = None
) -> list[Path]:
    """Writes tableN in every format, and its figure where it has one.

    Returns:
        The files written: tableN.txt, .md, .csv, .tex, .html and .png (tableN-<data set>.png beyond the first).

    Raises:
        CdkdError: no such store, or no such table.
    """
    from cdkd.report.figures import figure_bytes
    from cdkd.report.files import write_atomically
    from cdkd.report.render import render

    written = []
    for table, reports in load_reports(tables, tracking_uri, study).items():
        for format_name, suffix in _SUFFIXES.items():
            path = output_folder / f"table{table}{suffix}"
            written.append(write_atomically(path, render(reports, format_name).encode()))
        for index, report in enumerate(reports):
            picture = figure_bytes(report, "png")
            if picture is not None:
                name = f"table{table}.png" if index == 0 else f"table{table}-{report.dataset}.png"
                written.append(write_atomically(output_folder / name, picture))
    return written
