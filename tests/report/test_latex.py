"""LaTeX tables: whole, readable on a page, compiled where TeX is at hand."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.report_runs import BOTH, PLAIN, SPATIAL, RunTable, six_seeds

from cdkd.report.assemble import Report, build_reports
from cdkd.report.latex import latex_text, render_latex
from cdkd.report.render import render
from cdkd.report.study_table import study_report
from cdkd.report.tables.catalog import TABLES
from cdkd.report.tracked import read_runs


def _reports(table: str) -> tuple[Report, ...]:
    return build_reports(table, read_runs(six_seeds().frame()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("68.0 ± 0.9 (3)", r"68.0 \ensuremath{\pm} 0.9 (3)"),
        ("λ1 = 0.1; λ2", r"\ensuremath{\lambda_{1}} = 0.1; \ensuremath{\lambda_{2}}"),
        ("a_b & 95 % of {x} #1 $", r"a\_b \& 95 \% of \{x\} \#1 \$"),
        ("-1.2 [-3.0, +0.4]", r"\ensuremath{-}1.2 [\ensuremath{-}3.0, +0.4]"),
        ("ResNet-50, UCF-101, p-value", "ResNet-50, UCF-101, p-value"),
        ("a\\b~c^d", r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d"),
        ('the row "decoder, no KD"', "the row ``decoder, no KD''"),
        ("x < y", r"x \ensuremath{<} y"),
    ],
)
def test_latex_escapes(text: str, expected: str) -> None:
    assert latex_text(text) == expected


def test_a_table_is_whole() -> None:
    (report,) = _reports("4")
    text = render_latex(report)
    first, second = re.findall(r"\\begin\{tabular\}\{(\w+)\}.*?\\end\{tabular\}", text, re.DOTALL)
    # Method and both losses name the rows; accuracies, two differences with p; then the rest, with the names again.
    assert (first, second) == ("lllrrrrrr", "lllrrr")
    lines = [line for line in text.splitlines() if line.endswith("\\\\") and "multicolumn" not in line]
    assert {line.count("&") for line in lines} == {8, 5}
    assert "TSM + ours & yes & no & 76.0 \\ensuremath{\\pm} 1.1 (6) & " in text
    assert text.startswith("% needs \\usepackage{booktabs,graphicx}\n\\begin{table*}\n")
    assert "±" not in text and "λ" not in text and text.isascii()
    for start in re.findall(r"\\begin\{([\w*]+)\}", text):
        assert text.count(f"\\begin{{{start}}}") == text.count(f"\\end{{{start}}}")


def test_the_best_is_bold_where_it_is_sure() -> None:
    (report,) = _reports("4")
    text = render_latex(report)
    # With TSM, both losses are 3 points above the next with every seed; with TDN by as much as seeds scatter.
    assert re.findall(r"\\textbf\{(\S+)", text) == ["79.0"]
    assert "Bold: the best of its network" in text


@pytest.mark.parametrize("table", sorted(TABLES))
def test_notes_are_shorter_than_the_table(table: str) -> None:
    for report in _reports(table):
        text = render([report], "latex")
        notes = text.partition("\\begin{minipage}")[2]
        # What a line of a page's width holds at the notes' size.
        assert len(notes) / 150 < len(report.rows)
        assert len(render([report], "latex", notes="full")) > len(text)
        bare = render([report], "latex", notes="none")
        assert "minipage" not in bare and "textsuperscript" not in bare


def test_a_table_higher_than_a_page_goes_on_in_another_float() -> None:
    text = render(_reports("5"), "latex", notes="full")
    # The rows of both networks in two panels, and the notes: TeX would push what is higher than a page off its end.
    assert text.count("\\begin{table*}") == text.count("\\end{table*}") == 2
    first, second = text.split("\\end{table*}")[:2]
    assert first.count("\\caption{") == 1 and "\\caption{" not in second
    assert "Table~\\ref{tab:cdkd-5}, continued." in second and "\\label{tab:cdkd-5}" in first
    assert render(_reports("4"), "latex").count("\\begin{table*}") == 1


def _wide_study() -> Report:
    runs = RunTable()
    axes = {f"axis_{name}": f"a rather long label of axis {name}" for name in "abcdef"}
    for number, overrides in enumerate((PLAIN, SPATIAL, BOTH)):
        for seed in range(2):
            labels = {**axes, "row": str(number)}
            runs.add(overrides, seed, 60.0 + number, top5=90.0, study="wide", labels=labels)
    return study_report("wide", read_runs(runs.frame()))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="TeX is not installed here")
@pytest.mark.parametrize("page", ["[twocolumn]{article}", "{article}"])
def test_tex_makes_pages_of_it(page: str, tmp_path: Path) -> None:
    tables = "\n".join(render(_reports(table), "latex", notes=notes) for table in TABLES for notes in ("full", "short"))
    tables += render([_wide_study()], "latex")
    text = (
        f"\\documentclass{page}\n\\usepackage{{booktabs,graphicx}}\n\\begin{{document}}\n{tables}\n\\end{{document}}\n"
    )
    (tmp_path / "a.tex").write_text(text)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Output written on a.pdf" in done.stdout
    assert [
        line for line in done.stdout.splitlines() if line.startswith(("Overfull \\hbox", "LaTeX Warning: Float"))
    ] == []


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="TeX is not installed here")
def test_letters_stay_readable_on_a_page_of_two_columns(tmp_path: Path) -> None:
    """On a conference's page (178 mm) no table of ours is made smaller than its letters are."""
    tables = "\n".join(render(_reports(table), "latex") for table in TABLES) + render([_wide_study()], "latex")
    # What would be made smaller says so.
    tables = tables.replace("\\resizebox{", "\\typeout{SHRUNK}\\resizebox{")
    head = "\\usepackage{booktabs,graphicx}\\usepackage[textwidth=178mm]{geometry}"
    text = f"\\documentclass[twocolumn]{{article}}{head}\\begin{{document}}{tables}\\end{{document}}"
    (tmp_path / "a.tex").write_text(text)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "a.tex"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and "SHRUNK" not in done.stdout
