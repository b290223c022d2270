"""Tables and figures of a store: as records, as text, as files."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

from cdkd.atomic_write import atomic_write
from cdkd.report.assemble import Report, build_reports
from cdkd.report.figures.catalog import find_figure
from cdkd.report.figures.definition import Evidence
from cdkd.report.figures.style import FORMATS, pictures
from cdkd.report.page.content import Page
from cdkd.report.page.html import render_page
from cdkd.report.render import render
from cdkd.report.run_filter import runs_of_study, runs_on_dataset, runs_where
from cdkd.report.study_table import STUDY_PREFIX, study_report
from cdkd.report.tables.catalog import TABLES, find_table
from cdkd.report.text_table import TEXT_WIDTH
from cdkd.report.tracked import ReportError, Run, read_runs
from cdkd.tracking.curves import load_curves
from cdkd.tracking.inspection import load_inspection
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
    is_extended: bool = False,
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
        is_extended: with what others have published beside the paper's own rows.

    Raises:
        CdkdError: no such store, no such table, or a filter that no run passes.
    """
    for table in tables:
        find_table(table)
    runs = _filtered(_study_runs(tracking_uri, study), dataset, where)
    scores = partial(load_scores, tracking_uri=tracking_uri)
    return {table: build_reports(table, runs, scores, over_videos, cells, is_extended) for table in tables}


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


def load_evidence(
    figure: str,
    tables: Sequence[str] = (),
    tracking_uri: str | None = None,
    study: str | None = None,
    dataset: str | None = None,
    where: Mapping[str, Any] | None = None,
) -> Evidence:
    """What a figure is drawn from; the arguments are those of `load_reports`.

    Args:
        figure: its name; the picture of a table is drawn from that table.
        tables: whose rows a figure of rows shows; (): the study's, else every table's that has runs.

    Raises:
        CdkdError: no such figure, or as `load_reports` says.
    """
    own = find_figure(figure).table
    if own.startswith(STUDY_PREFIX):
        study = own.removeprefix(STUDY_PREFIX)
    wanted = [own] if own else list(tables)
    if study is not None and (not wanted or own.startswith(STUDY_PREFIX)):
        reports: list[Report] = [load_study_report(study, tracking_uri, dataset, where)]
    else:
        found = load_reports(wanted or tuple(TABLES), tracking_uri, study, dataset, where)
        reports = [report for of_table in found.values() for report in of_table]
    return evidence_of(reports, tracking_uri)


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


PAGE_FILE = "index.html"


def write_page(page: Page, output_folder: Path) -> list[Path]:
    """Writes a page, and what it holds as files of their own: tables in every format, figures as SVG, PDF and PNG.

    Returns:
        The files written: table4.txt, .md, .csv, .tex and .html; a table that the paper does not have is
        table-<name>.txt and so on, a study's own study-<name>.txt. Then the figures: table4.svg, .pdf and .png,
        study-<name>-curves.svg, ... (table4-2.svg where a figure is several pictures), and `index.html`, the last.

    Raises:
        ReportError: a file cannot be written.
    """
    found = [tuple(reports) for _, reports in groupby(page.tables, key=lambda report: report.table.name)]
    found += [(part.report,) for part in page.studies]
    written = [
        write_report(output_folder / f"{reports[0].table.file_stem}{suffix}", render(reports, format_name).encode())
        for reports in found
        for format_name, suffix in _SUFFIXES.items()
    ]
    seen: Counter[str] = Counter()
    for drawing in page.drawings:
        seen[drawing.name] += 1
        stem = drawing.name if seen[drawing.name] == 1 else f"{drawing.name}-{seen[drawing.name]}"
        for suffix, content in pictures(drawing).items():
            written.append(write_report(output_folder / f"{stem}.{suffix}", content))
    return [*written, write_report(output_folder / PAGE_FILE, render_page(page).encode())]


def evidence_of(reports: Sequence[Report], tracking_uri: str | None = None) -> Evidence:
    """What figures of tables of a store's runs are drawn from; nothing is read before a figure asks.

    Args:
        reports: the tables.
        tracking_uri: the store; None: `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.
    """
    return Evidence(
        reports,
        curves=partial(load_curves, tracking_uri=tracking_uri),
        # Several figures look at the same runs.
        scores=cache(partial(load_scores, tracking_uri=tracking_uri)),
        inspections=cache(partial(load_inspection, tracking_uri=tracking_uri)),
    )


def write_figure(name: str, evidence: Evidence, path: Path) -> list[Path]:
    """One figure in the format that the file's suffix says.

    Returns:
        The files written: `path`, and beside it, where the figure is several pictures, <stem>-2 and so on.

    Raises:
        ReportError: no such figure, a suffix that no figure has, nothing is known to draw, or a file cannot be written.
    """
    figure = find_figure(name)
    suffix = path.suffix.removeprefix(".")
    if suffix not in FORMATS:
        raise ReportError(f"{path}: figures are files that end in {', '.join(f'.{known}' for known in FORMATS)}")
    found = list(figure.drawings(evidence))
    if not found:
        raise ReportError(
            f"figure {name}: no finished run tells what it shows ({figure.title}); run a study first, or name another "
            "with --study"
        )
    names = [path, *(path.with_stem(f"{path.stem}-{number}") for number in range(2, len(found) + 1))]
    return [
        write_report(file, pictures(drawing, (suffix,))[suffix]) for file, drawing in zip(names, found, strict=True)
    ]


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
