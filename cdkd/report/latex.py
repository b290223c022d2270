"""A table for a paper: booktabs, in letters that stay readable, as wide as one column or both of a page need."""

import re
import string
from collections.abc import Sequence

from cdkd.report.assemble import Report
from cdkd.report.best import clearly_best
from cdkd.report.columns import Column, is_measured_top1
from cdkd.report.grid import Grid, GridCell, grid_of, groups_of
from cdkd.report.panels import Panel, panels_of

_ONE_COLUMN, _BOTH_COLUMNS = 240.0, 500.0
"""Points: widths of a column and of the text of a conference's page."""
_GAP = 6.0
"""Points between two columns."""
_PAGE, _CAPTION, _ROW, _NOTE = 540.0, 40.0, 9.5, 8.0
"""Points: heights of a page's text and of a caption, of a line of a table and of one of its notes."""
_NOTE_LETTERS = 95
"""Of a line of notes, on a page of one column."""
_LETTERS = {
    **dict.fromkeys("ijlI.,;:!|'()[]", 0.30),
    **dict.fromkeys("frt- /", 0.38),
    **dict.fromkeys("mwMW+±=<>×%", 0.86),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ", 0.74),
}
"""Width of a letter of Computer Modern at eight points, in ems of eight points; 0.53 of all others."""
_BOLD = "Bold: the best of its network, where the 95 % interval of its difference from the next best excludes 0."

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
    """A floating table over one column of a page, or over both; needs \\usepackage{booktabs,graphicx}.

    Columns that do not fit beside each other at footnote size stand in panels below each other, and panels that are
    higher than a page in several floating tables. Should the page be narrower than a conference's, the table is made
    smaller; it is never made larger than its letters are.
    """
    grid = grid_of(report)
    bold = clearly_best(report.rows)
    widths = [_column_width(column, [line.cells[index] for line in grid.lines])
              for index, column in enumerate(report.columns)]  # fmt: skip
    names = [[cell.text for cell in line.cells] for line in grid.lines]
    panels = panels_of(report.columns, names, widths, _GAP, _BOTH_COLUMNS, _width("99"))
    is_narrow = len(panels) == 1 and sum(widths) + _GAP * len(widths) <= _ONE_COLUMN
    kind = "table" if is_narrow else "table*"
    keys = [row.definition.key for row in report.rows]
    tabulars = [_tabular(report, grid, panel, [key in bold for key in keys]) for panel in panels]
    notes = _notes(report, grid, has_bold=bool(bold))
    pieces = [*(["\\medskip", "", *_fitted(tabular)] for tabular in tabulars), notes]
    heights = [_ROW * (len(tabular) - 3) for tabular in tabulars]
    heights.append(_NOTE * sum(len(note) // _NOTE_LETTERS + 1 for note in notes))
    label = f"tab:cdkd-{report.table.name}"
    caption = f"\\caption{{{latex_text(report.table.caption)}. {latex_text(report.subtitle)}}}\n\\label{{{label}}}"
    continued = f"{{\\small Table~\\ref{{{label}}}, continued.}}\n"
    output = ["% needs \\usepackage{booktabs,graphicx}"]
    for number, places in enumerate(_floats(heights)):
        output += [f"\\begin{{{kind}}}", "\\centering", continued if number else caption, "\\footnotesize"]
        output.append(f"\\setlength{{\\tabcolsep}}{{{_GAP / 2:g}pt}}")
        output += [line for place in places for line in pieces[place]]
        output.append(f"\\end{{{kind}}}")
    return "\n".join(output) + "\n"


def _floats(heights: Sequence[float]) -> list[list[int]]:
    """Which pieces of these heights, in points, stand together: as many as a page holds below a caption."""
    floats: list[list[int]] = [[]]
    left = _PAGE - _CAPTION
    for place, height in enumerate(heights):
        if height > max(left, 0.0) and floats[-1]:
            floats.append([])
            left = _PAGE - _CAPTION
        floats[-1].append(place)
        left -= height
    return floats


def _width(text: str) -> float:
    """Of a text at footnote size, in points; a little more than it takes."""
    return 8.0 * 1.03 * sum(_LETTERS.get(letter, 0.53) for letter in text)


def _column_width(column: Column, cells: Sequence[GridCell]) -> float:
    # Marks are raised and small.
    texts = [*column.header.split("\n"), *(cell.text + cell.marks for cell in cells)]
    return max(map(_width, texts))


def _fitted(tabular: Sequence[str]) -> list[str]:
    """Made smaller where the page is too narrow for it."""
    return [
        "\\sbox0{%",
        *tabular,
        "}%",
        "\\ifdim\\wd0>\\linewidth\\resizebox{\\linewidth}{!}{\\usebox0}\\else\\usebox0\\fi",
        "",
    ]


def _tabular(report: Report, grid: Grid, panel: Panel, is_bold: Sequence[bool]) -> list[str]:
    columns = [report.columns[index] for index in panel.columns]
    margin = 1 if panel.is_numbered else 0
    output = [f"\\begin{{tabular}}{{{'r' * margin}{''.join('l' if c.is_text else 'r' for c in columns)}}}", "\\toprule"]
    # 1. The groups, a rule under each that has a name.
    groups, rules, start = groups_of(columns, report), [], 1 + margin
    for name, span in groups:
        if name:
            rules.append(f"\\cmidrule(lr){{{start}-{start + span - 1}}}")
        start += span
    if rules:
        spans = [f"\\multicolumn{{{span}}}{{c}}{{{latex_text(name)}}}" for name, span in groups]
        output += [_line([*[""] * margin, *spans]), "".join(rules)]
    # 2. Headers as high as the highest, at the bottom.
    headers = [column.header.split("\n") for column in columns]
    height = max(map(len, headers))
    for level in range(height):
        texts = [header[level - height] if level - height >= -len(header) else "" for header in headers]
        output.append(_line([*["\\#" if level == height - 1 else ""] * margin, *map(latex_text, texts)]))
    output.append("\\midrule")
    # 3. The rows.
    for number, (line, bold) in enumerate(zip(grid.lines, is_bold, strict=True), 1):
        cells = [_cell(line.cells[index], bold) for index in panel.columns]
        output += ["\\midrule"] * line.starts_section + [_line([*[str(number)] * margin, *cells])]
    return [*output, "\\bottomrule", "\\end{tabular}"]


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + " \\\\"


def _cell(cell: GridCell, is_bold: bool) -> str:
    text = latex_text(cell.text)
    if is_bold and is_measured_top1(cell.column):
        text = f"\\textbf{{{text}}}"
    return text + (f"\\textsuperscript{{{cell.marks}}}" if cell.marks else "")


def _notes(report: Report, grid: Grid, has_bold: bool) -> list[str]:
    footnotes = [
        f"\\textsuperscript{{{letter}}} {latex_text(note)}."
        for letter, note in zip(string.ascii_lowercase, grid.footnotes, strict=False)
    ]
    notes = [latex_text(note) for note in [*report.notes, *([_BOLD] if has_bold and report.notes else [])]]
    if not footnotes and not notes:
        return []
    # Sentences run on, as in a caption.
    return ["\\medskip", "\\begin{minipage}{\\linewidth}\\scriptsize", *footnotes, *notes, "\\end{minipage}"]
