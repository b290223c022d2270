"""A report becomes text of one of six formats."""

import csv
import io
import json
import re
import string
from collections.abc import Callable, Sequence

from cdkd.report.assemble import Report
from cdkd.report.columns import Column, fields_of
from cdkd.report.grid import grid_of
from cdkd.report.latex import render_latex
from cdkd.report.short_notes import NotesAmount, with_notes
from cdkd.report.text_table import TEXT_WIDTH, render_text
from cdkd.report.tracked import ReportError


def render_markdown(report: Report) -> str:
    """A table of GitHub's Markdown, its notes as lists."""
    grid = grid_of(report)
    headers = [_markdown(_flat_header(column, report)) for column in report.columns]
    output = [f"**{_markdown(report.title)}**", "", f"*{_markdown(report.subtitle)}*", ""]
    output.append(f"| {' | '.join(headers)} |")
    output.append(f"|{'|'.join(':---' if column.is_text else '---:' for column in report.columns)}|")
    for line in grid.lines:
        cells = [_markdown(cell.text) + (f"<sup>{cell.marks}</sup>" if cell.marks else "") for cell in line.cells]
        output.append(f"| {' | '.join(cells)} |")
    output.append("")
    output += [f"- <sup>{x}</sup> {_markdown(n)}" for x, n in zip(string.ascii_lowercase, grid.footnotes, strict=False)]
    output += [f"- {_markdown(note)}" for note in report.notes]
    return "\n".join(output) + "\n"


def _flat_header(column: Column, report: Report) -> str:
    header = column.header.replace("\n", " ")
    if column.group == "measured":
        return f"{report.dataset} {header}" if report.dataset else f"measured {header}"
    return f"{header} (published)" if column.group == "published" else header


def _markdown(text: str) -> str:
    return re.sub(r"([|*_<>\\`])", r"\\\1", text)


def render_csv(report: Report) -> str:
    """One line a row at full precision; data set and table in each line, so that files can be joined."""
    fields = fields_of(report.table)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["table", "measured_on", *(field.name for field in fields)])
    for row in report.rows:
        values = [field.value(row) for field in fields]
        writer.writerow([report.table.name, report.dataset, *("" if value is None else value for value in values)])
    return stream.getvalue()


def render_json(reports: Sequence[Report]) -> str:
    """A list of tables for programs: what a CSV line holds, by name, with the notes."""
    tables = [
        {
            "table": report.table.name,
            "title": report.title,
            "measured_on": report.dataset or None,
            "rows": [{field.name: field.value(row) for field in fields_of(report.table)} for row in report.rows],
            "notes": list(report.notes),
        }
        for report in reports
    ]
    return json.dumps(tables, indent=1, ensure_ascii=False) + "\n"


def render_html(reports: Sequence[Report]) -> str:
    """One self-contained page: tables, notes, and figures as inline pictures."""
    from cdkd.report.page.html import render_tables

    return render_tables(reports)


def _joined(render: Callable[[Report], str]) -> Callable[[Sequence[Report]], str]:
    return lambda reports: "\n".join(render(report) for report in reports)


FORMATS: dict[str, Callable[[Sequence[Report]], str]] = {
    "text": _joined(render_text),
    "markdown": _joined(render_markdown),
    "csv": _joined(render_csv),
    "latex": _joined(render_latex),
    "html": render_html,
    "json": render_json,
}


def render(
    reports: Sequence[Report], format_name: str, width: int = TEXT_WIDTH, notes: NotesAmount | None = None
) -> str:
    """Several tables in one format, one below the other.

    Args:
        reports: the tables.
        format_name: one of `FORMATS`.
        width: characters of a line of text.
        notes: how many stand below each table; None: in LaTeX short ones, else all. CSV has none, JSON always all.

    Raises:
        ReportError: there is no such format.
    """
    if format_name not in FORMATS:
        raise ReportError(f"format {format_name}: known formats are {', '.join(FORMATS)}")
    if format_name not in ("csv", "json"):
        amount = notes or ("short" if format_name == "latex" else "full")
        reports = [with_notes(report, amount) for report in reports]
    if format_name == "text":
        return "\n".join(render_text(report, width) for report in reports)
    return FORMATS[format_name](reports)
