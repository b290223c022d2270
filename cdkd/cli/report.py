"""`cdkd report`: prints tables from the tracked runs, or writes all of them as one page."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cdkd.cli.options import (
    Choice,
    Setting,
    from_option,
    json_option,
    output_option,
    store_to_read,
    terminal_width,
    tracking_uri_option,
)
from cdkd.cli.sweep import REPORTS

if TYPE_CHECKING:
    from cdkd.report.short_notes import NotesAmount


class CatalogName(click.ParamType[str]):
    """The name of a table or of a figure; an unknown one gets the nearest suggested, or all of them listed."""

    name = "NAME"

    def __init__(self, kind: Literal["table", "figure"]) -> None:
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name.

        Raises:
            click.BadParameter: there is none of that name.
        """
        from cdkd.report.figures.catalog import find_figure
        from cdkd.report.tables.catalog import find_table
        from cdkd.report.tracked import ReportError

        try:
            return find_table(value).name if self.kind == "table" else find_figure(value).name
        except ReportError as error:
            self.fail(str(error), param, ctx)


@click.command(name="report")
@click.option(
    "--table",
    type=CatalogName("table"),
    multiple=True,
    help="A table of the paper by its number, methods or networks; may be repeated. Without it: every table that has "
    "runs; with --study, the study's own.",
)
@click.option(
    "--figure", type=CatalogName("figure"), help="A figure instead, as the file that -o names: .svg, .pdf or .png."
)
@click.option(
    "--extended",
    "is_extended",
    is_flag=True,
    help="In Tables 1 to 3 also what others have published, each row marked by the evidence for it.",
)
@click.option("--study", help="Only the runs of this study; without --table its own table, a row for each cell.")
@click.option("--dataset", help="Only the runs on this data set, for example shapes.")
@click.option("--where", multiple=True, type=Setting(), help="Only runs with this setting; may be repeated.")
@click.option(
    "--format",
    "format_name",
    type=Choice(["text", "markdown", "csv", "latex", "html", "json"]),
    default="text",
    show_default=True,
    help="How the tables are written.",
)
@click.option(
    "--notes",
    type=Choice(["full", "short", "none"]),
    help="How much stands below a table.  [default: full; in LaTeX short]",
)
@click.option(
    "--all",
    "as_page",
    is_flag=True,
    help="Write one HTML page of every study, or of --study: tables, figures, provenance, how to do it again.  "
    "[default file: reports/index.html]",
)
@json_option
@output_option("Write to this file.")
@click.option(
    "--over-videos/--no-over-videos",
    default=None,
    help="Compare rows over seeds and test videos too, by a bootstrap.  [default: where there are six seeds]",
)
@tracking_uri_option
@from_option
def command(
    table: tuple[str, ...],
    figure: str | None,
    is_extended: bool,
    study: str | None,
    dataset: str | None,
    where: tuple[str, ...],
    format_name: str,
    notes: "NotesAmount | None",
    as_page: bool,
    as_json: bool,
    output: Path | None,
    over_videos: bool | None,
    tracking_uri: str | None,
    exported: Path | None,
) -> None:
    """Print tables from the tracked runs; those of the paper measured beside published.

    \b
    Examples:
      cdkd report --table 4                      the ablation, as text
      cdkd report --table 4 --over-videos        with intervals over seeds and test videos
      cdkd report --table 5 --format latex       the lambda search, for a paper
      cdkd report --table 5 --notes none         the table alone
      cdkd report --table methods                other distillation losses beside the paper's
      cdkd report --table 1 --extended           with more published methods, marked by evidence
      cdkd report --table networks               the networks of Tables 1 to 3 on your data, with costs
      cdkd report --all                          one page of everything: reports/index.html
      cdkd report --format html -o report.html   the tables alone
      cdkd report --study teachers               a study's own rows, as at the end of its sweep
      cdkd report --table 4 --study ablation --format csv
      cdkd report --table 4 --where train.epochs=80
      cdkd report --figure curves --study ablation -o curves.svg
      cdkd report --table 4 --from ablation.zip  from a study's file, where its store is not at hand
    """
    from cdkd.config import parse_override
    from cdkd.report.render import render
    from cdkd.report.tables.catalog import TABLES
    from cdkd.report.text_table import TEXT_WIDTH
    from cdkd.report.writing import load_reports, load_study_report, write_report

    store = store_to_read(tracking_uri, exported)
    if as_page:
        _write_page(study, output, store, over_videos, refused=bool(table or dataset or where or as_json))
        return
    wanted = dict(parse_override(text) for text in where)
    if figure is not None:
        _write_figure(figure, output, table, store, study, dataset, wanted)
        return
    if study is not None and not table:
        shown = [load_study_report(study, store, dataset, wanted, over_videos)]
    else:
        reports = load_reports(
            table or tuple(TABLES), store, study, dataset, wanted, over_videos, is_extended=is_extended
        )
        shown = [report for found in reports.values() for report in found if table or report.dataset]
    if not shown:
        raise click.ClickException("no tracked run fits a table; run a study first: cdkd sweep ablation.yaml")
    width = terminal_width() if output is None else TEXT_WIDTH
    text = render(shown, "json" if as_json else format_name, width, notes)
    if output is None:
        click.echo(text, nl=False)
    else:
        click.echo(f"wrote {write_report(output, text.encode())}")


def _write_figure(
    figure: str,
    output: Path | None,
    tables: tuple[str, ...],
    tracking_uri: str | None,
    study: str | None,
    dataset: str | None,
    where: dict[str, Any],
) -> None:
    from cdkd.report.writing import load_evidence, write_figure

    if output is None:
        raise click.UsageError(f"--figure {figure}: a figure is a file; name one with -o {figure}.svg, .pdf or .png")
    for file in write_figure(figure, load_evidence(figure, tables, tracking_uri, study, dataset, where), output):
        click.echo(f"wrote {file}")


def _write_page(
    study: str | None, output: Path | None, tracking_uri: str | None, over_videos: bool | None, refused: bool
) -> None:
    from cdkd.report.page.assembly import load_page
    from cdkd.report.page.html import render_page
    from cdkd.report.writing import PAGE_FILE, write_report

    if refused:
        raise click.UsageError(
            "--all writes one page of everything; beside it stand --study, --output, --over-videos and --tracking-uri"
        )
    page = load_page(tracking_uri, study, over_videos=over_videos)
    path = write_report(output or REPORTS / PAGE_FILE, render_page(page).encode())
    click.echo(f"wrote {path}")
