"""A report becomes text of one of six formats."""

import csv
import io
import json
import re
import string
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

from cdkd.report.assemble import Report
from cdkd.report.columns import Column, fields_of
from cdkd.report.tracked import ReportError

TEXT_WIDTH = 120
_GAP, _NARROW_GAP = "  ", " "


@dataclass(frozen=True)
class GridCell:
    """A cell's text and the letters of its footnotes."""

    column: Column
    text: str
    marks: str


@dataclass(frozen=True)
class GridLine:
    """One row of cells."""

    cells: Sequence[GridCell]
    starts_section: bool
    """A rule belongs above it."""


@dataclass(frozen=True)
class Grid:
    """A report's cells as texts, the same for every format."""

    lines: Sequence[GridLine]
    footnotes: Sequence[str]
    """The n-th belongs to the n-th letter."""
    groups: Sequence[tuple[str, int]]
    """(header, number of columns) of neighbouring columns."""


def grid_of(report: Report) -> Grid:
    """Calls every column on every row, and numbers the footnotes in reading order."""
    footnotes: list[str] = []
    lines = []
    section = report.rows[0].definition.section if report.rows else ""
    for row in report.rows:
        cells = []
        for column in report.columns:
            cell = column.cell(row)
            footnotes += [note for note in cell.notes if note not in footnotes]
            marks = "".join(string.ascii_lowercase[footnotes.index(note)] for note in cell.notes)
            cells.append(GridCell(column, cell.text, marks))
        lines.append(GridLine(cells, row.definition.section != section))
        section = row.definition.section
    return Grid(lines, footnotes, _groups(report.columns, report))


def _groups(columns: Sequence[Column], report: Report) -> list[tuple[str, int]]:
    """(header, number of columns) of neighbouring columns of one group."""
    groups = [(name, len(list(members))) for name, members in groupby(column.group for column in columns)]
    return [(_group_title(name, report), span) for name, span in groups]


def _group_title(group: str, report: Report) -> str:
    return f"measured on {report.dataset}" if group == "measured" and report.dataset else group


def render_text(report: Report, width: int = TEXT_WIDTH) -> str:
    """Aligned columns for a terminal of `width` characters.

    Where the columns do not fit beside each other they stand in blocks below each other, each with the columns that
    name the rows.
    """
    grid = grid_of(report)
    bodies = [[cell.text + (f" {cell.marks}" if cell.marks else "") for cell in line.cells] for line in grid.lines]
    headers = list(zip_longest(*(reversed(column.header.split("\n")) for column in report.columns), fillvalue=""))
    headers.reverse()
    lines = [list(line) for line in headers] + bodies
    widths = [max(len(line[index]) for line in lines) for index in range(len(report.columns))]
    # 1. One space between columns where that saves a block, else two.
    blocks, gap = _blocks(report.columns, widths, _GAP, width), _GAP
    if len(narrow := _blocks(report.columns, widths, _NARROW_GAP, width)) < len(blocks):
        blocks, gap = narrow, _NARROW_GAP
    # 2. The blocks, the notes once below all of them.
    output = [*textwrap.wrap(report.title, width), *textwrap.wrap(report.subtitle, width)]
    starts = [line.starts_section for line in grid.lines]
    for block in blocks:
        output += ["", *_text_block(report, block, widths, headers, bodies, starts, gap)]
    for letter, note in zip(string.ascii_lowercase, grid.footnotes, strict=False):
        output += textwrap.wrap(f"{letter} {note}", width, subsequent_indent="  ")
    for note in report.notes:
        output += textwrap.wrap(f"* {note}", width, subsequent_indent="  ")
    return "\n".join(output) + "\n"


def _blocks(columns: Sequence[Column], widths: Sequence[int], gap: str, width: int) -> list[list[int]]:
    """Indices of the columns of each block: those that name the rows, then as many others as fit."""
    naming = [index for index, column in enumerate(columns) if column.is_text]
    blocks: list[list[int]] = []
    for index in range(len(columns)):
        if index in naming:
            continue
        # A column that fits into no block gets one of its own.
        if not blocks or _line_width([widths[each] for each in [*blocks[-1], index]], gap) > width:
            blocks.append(list(naming))
        blocks[-1].append(index)
    return blocks


def _text_block(
    report: Report,
    block: Sequence[int],
    widths: Sequence[int],
    headers: Sequence[Sequence[str]],
    bodies: Sequence[Sequence[str]],
    starts_section: Sequence[bool],
    gap: str,
) -> list[str]:
    columns = [report.columns[index] for index in block]
    own = [widths[index] for index in block]
    groups = _groups(columns, report)
    _widen_for_groups(own, groups, gap)

    def aligned(texts: Sequence[str]) -> str:
        parts = [
            texts[index].ljust(room) if column.is_text else texts[index].rjust(room)
            for index, room, column in zip(block, own, columns, strict=True)
        ]
        return gap.join(parts).rstrip()

    rule = "-" * _line_width(own, gap)
    output = [_group_line(own, groups, gap), *(aligned(line) for line in headers), rule]
    for starts, body in zip(starts_section, bodies, strict=True):
        output += [*([""] if starts else []), aligned(body)]
    return [*output, rule]


def _line_width(widths: Sequence[int], gap: str) -> int:
    return sum(widths) + len(gap) * (len(widths) - 1)


def _widen_for_groups(widths: list[int], groups: Sequence[tuple[str, int]], gap: str) -> None:
    start = 0
    for name, span in groups:
        room = _line_width(widths[start : start + span], gap)
        widths[start + span - 1] += max(0, len(name) - room)
        start += span


def _group_line(widths: Sequence[int], groups: Sequence[tuple[str, int]], gap: str) -> str:
    parts, start = [], 0
    for name, span in groups:
        room = _line_width(widths[start : start + span], gap)
        parts.append(f" {name} ".center(room, "-") if name and room >= len(name) + 2 else name.center(room))
        start += span
    return gap.join(parts).rstrip()


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


_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "±": r"\ensuremath{\pm}",
    "λ": r"\ensuremath{\lambda}",
    "×": r"\ensuremath{\times}",
}


def latex_text(text: str) -> str:
    """Text that LaTeX prints as it stands; λ1 gets its index, quotation marks their sides, a number its minus."""
    text = re.sub(r"λ([123])", "\0\\1", text)
    text = re.sub(r'"([^"]*)"', r"``\1''", text)
    text = "".join(_LATEX.get(letter, letter) for letter in text)
    text = re.sub("\0([123])", r"\\ensuremath{\\lambda_{\1}}", text)
    return re.sub(r"(?<![\w.\-])-(\d)", r"\\ensuremath{-}\1", text)


def render_latex(report: Report) -> str:
    """A floating table in the booktabs style; needs \\usepackage{booktabs,graphicx}."""
    grid = grid_of(report)
    span_start, rules = 1, []
    for name, span in grid.groups:
        if name:
            rules.append(f"\\cmidrule(lr){{{span_start}-{span_start + span - 1}}}")
        span_start += span
    columns = "".join("l" if column.is_text else "r" for column in report.columns)
    headers = [latex_text(column.header.replace("\n", " ")) for column in report.columns]
    output = ["% needs \\usepackage{booktabs,graphicx}", "\\begin{table}", "\\centering"]
    output.append(f"\\caption{{{latex_text(report.table.caption)}. {latex_text(report.subtitle)}}}")
    output.append(f"\\label{{tab:cdkd-{report.table.name}}}")
    output += ["\\medskip", "\\resizebox{\\linewidth}{!}{%", f"\\begin{{tabular}}{{{columns}}}", "\\toprule"]
    output.append(" & ".join(f"\\multicolumn{{{n}}}{{c}}{{{latex_text(name)}}}" for name, n in grid.groups) + " \\\\")
    output += ["".join(rules), " & ".join(headers) + " \\\\", "\\midrule"]
    for line in grid.lines:
        if line.starts_section:
            output.append("\\midrule")
        cells = [latex_text(c.text) + (f"\\textsuperscript{{{c.marks}}}" if c.marks else "") for c in line.cells]
        output.append(" & ".join(cells) + " \\\\")
    output += ["\\bottomrule", "\\end{tabular}}", "", "\\medskip", "\\begin{minipage}{\\linewidth}\\footnotesize"]
    for letter, note in zip(string.ascii_lowercase, grid.footnotes, strict=False):
        output.append(f"\\textsuperscript{{{letter}}} {latex_text(note)}.\\\\")
    output += [f"{latex_text(note)}\\\\" for note in report.notes[:-1]]
    output += [latex_text(note) for note in report.notes[-1:]]
    output += ["\\end{minipage}", "\\end{table}"]
    return "\n".join(output) + "\n"


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


def render(reports: Sequence[Report], format_name: str, width: int = TEXT_WIDTH) -> str:
    """Several tables in one format, one below the other.

    Args:
        reports: the tables.
        format_name: one of `FORMATS`.
        width: characters of a line of text.

    Raises:
        ReportError: there is no such format.
    """
    if format_name not in FORMATS:
        raise ReportError(f"format {format_name}: known formats are {', '.join(FORMATS)}")
    if format_name == "text":
        return "\n".join(render_text(report, width) for report in reports)
    return FORMATS[format_name](reports)
