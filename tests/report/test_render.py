"""Five formats of one report."""

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from support.report_runs import PLAIN, SPATIAL, RunTable

from cdkd.report.assemble import Report, build_reports
from cdkd.report.render import (
    grid_of,
    latex_text,
    render,
    render_csv,
    render_html,
    render_latex,
    render_markdown,
    render_text,
)
from cdkd.report.tables.catalog import TABLES
from cdkd.report.tracked import ReportError, read_runs


def _report(table: str, commit: str = "a" * 16) -> Report:
    runs = RunTable()
    for seed, (plain, spatial) in enumerate([(60.0, 59.0), (62.0, 61.5)]):
        runs.add(PLAIN, seed, plain, top5=90.0, commit=commit)
        runs.add(SPATIAL, seed, spatial, top5=91.0, commit=commit)
    return build_reports(table, read_runs(runs.frame()))[0]


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


def test_latex_table_is_whole() -> None:
    text = render_latex(_report("4"))
    body = text[text.index("\\toprule") : text.index("\\bottomrule")]
    assert re.search(r"\\begin\{tabular\}\{(\w+)\}", text)[1] == "lllrrrrrr"  # type: ignore[index]
    lines = [line for line in body.splitlines() if line.endswith("\\\\") and "multicolumn" not in line]
    assert {line.count("&") for line in lines} == {8}
    assert "TSM + ours & yes & no & 60.2 \\ensuremath{\\pm} 1.8 (2)" in body
    assert body.count("\\midrule") == 2
    assert "±" not in text and "λ" not in text and text.isascii()
    for start in re.findall(r"\\begin\{(\w+)\}", text):
        assert text.count(f"\\begin{{{start}}}") == text.count(f"\\end{{{start}}}")


@pytest.mark.parametrize("table", sorted(TABLES))
def test_latex_of_every_table_is_ascii(table: str) -> None:
    assert render_latex(_report(table)).isascii()


def test_csv_keeps_full_precision_and_provenance() -> None:
    lines = list(csv.DictReader(io.StringIO(render_csv(_report("4")))))
    assert len(lines) == 10
    row = lines[2]
    assert (row["table"], row["measured_on"], row["row"], row["spatial"]) == ("4", "shapes", "tsm-spatial", "yes")
    assert float(row["top1_mean"]) == 60.25
    assert float(row["top1_deviation"]) == pytest.approx(1.7677669529663689)
    assert float(row["over_three_streams_mean"]) == -0.75
    assert (row["seeds"], row["run_ids"], row["code"]) == ("0 1", "run001 run003", "a" * 10)
    assert (row["published_ucf-101_top1"], row["published_source"]) == ("94.5", "Liu et al. 2023, Table 4")
    assert lines[1]["num_seeds"] == "0" and lines[1]["top1_mean"] == ""


def test_markdown_has_as_many_cells_in_every_line() -> None:
    text = render_markdown(_report("5"))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {10}
    assert "| TSM + ours | 0.1 | 0 | 60.2 ± 1.8 (2) | 91.0 ± 0.0 |" in text
    assert "UCF-101 top-1 (published)" in lines[0]


def test_markdown_escapes_what_would_format() -> None:
    assert "a\\_x\\|y" in render_markdown(_report("4", commit="a_x|y"))


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]


def test_html_is_escaped_and_self_contained() -> None:
    page = render_html([_report("4", commit="<script>"), _report("1")])
    tags = _Tags()
    tags.feed(page)
    assert "script" not in tags.counts and "&lt;script&gt;" in page
    assert (tags.counts["table"], tags.counts["img"]) == (2, 1)
    assert all(source.startswith("data:image/svg+xml;base64,") for source in tags.sources)


def test_footnotes_are_lettered_in_reading_order() -> None:
    report = _report("1")
    grid = grid_of(report)
    cells = {(line.cells[0].text, cell.column.header): cell for line in grid.lines for cell in line.cells}
    assert cells["CoViAR", "UCF-101\ntop-1"].marks == "a"
    assert cells["CoViAR", "HMDB-51\ntop-1"].marks == "b"
    assert cells["DMC-Net", "UCF-101\ntop-1"].marks == cells["DMC-Net", "HMDB-51\ntop-1"].marks == "c"
    assert "59.1" in grid.footnotes[1]
    assert "\nb its authors' backbones" in render_text(report)


@pytest.mark.parametrize("table", sorted(TABLES))
def test_text_fits_a_terminal(table: str) -> None:
    lines = render_text(_report(table)).splitlines()
    assert max(map(len, lines)) <= 120


def test_unknown_format() -> None:
    with pytest.raises(ReportError, match="format pdf: known formats are text, markdown, csv, latex, html"):
        render([_report("4")], "pdf")


def test_a_narrow_terminal_gets_blocks_below_each_other() -> None:
    report = _report("4")
    text = render_text(report, 80)
    assert max(map(len, text.splitlines())) <= 80
    name = ["TSM", "+", "ours", "yes", "no"]

    def cells(width: int) -> list[list[str]]:
        lines = [line.split() for line in render_text(report, width).splitlines()]
        return [line[len(name) :] for line in lines if line[: len(name)] == name]

    (whole,), narrow = cells(120), cells(80)
    # Every cell once, in two blocks that both name their rows.
    assert len(narrow) == 2 and [*narrow[0], *narrow[1]] == whole
    assert text.count("* Published: Liu et al. 2023, Table 4.") == 1
    assert render_text(report, 20).count("measured on shapes") >= 2
