"""Five formats of one report."""

import csv
import io
from html.parser import HTMLParser

import pytest
from support.report_runs import PLAIN, SPATIAL, RunTable

from cdkd.report.assemble import Report, build_reports
from cdkd.report.render import (
    grid_of,
    render,
    render_csv,
    render_html,
    render_markdown,
    render_text,
)
from cdkd.report.tracked import ReportError, read_runs


def _report(table: str, commit: str = "a" * 16) -> Report:
    runs = RunTable()
    for seed, (plain, spatial) in enumerate([(60.0, 59.0), (62.0, 61.5)]):
        runs.add(PLAIN, seed, plain, top5=90.0, commit=commit)
        runs.add(SPATIAL, seed, spatial, top5=91.0, commit=commit)
    return build_reports(table, read_runs(runs.frame()))[0]


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


def test_unknown_format() -> None:
    with pytest.raises(ReportError, match="format pdf: known formats are text, markdown, csv, latex, html"):
        render([_report("4")], "pdf")
