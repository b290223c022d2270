"""Tables 1 to 3 with what others have published beside the paper's rows."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cdkd.cli.report import command
from cdkd.report.assemble import Report, build_reports
from cdkd.report.published import EVIDENCE, more_figures
from cdkd.report.render import render
from cdkd.report.text_table import render_text


def _report(table: str) -> Report:
    return build_reports(table, (), is_extended=True)[0]


def _cells(report: Report, method: str) -> list[str]:
    (row,) = [row for row in report.rows if row.definition.method == method]
    return [column.cell(row).text for column in report.columns]


def test_rows_are_marked_by_their_evidence() -> None:
    report = _report("1")
    assert _cells(report, "CoViAR, as DMC-Net's authors quote it")[-3:] == ["", "90.4", "59.1"]
    assert _cells(report, "CoViAR (released scores)")[1:5] == ["ResNet-152 + 18", "CD", "2019", "C1"]
    assert _cells(report, "TDN + ours")[4] == "paper"
    # The number of a mark is a source's, which stands below the table.
    (sources,) = [note for note in report.notes if note.startswith("Sources: ")]
    assert "; C1 score files in facebookresearch/dmc-net, exp_my " in sources
    marks = {column.cell(row).text for row in report.rows for column in report.columns if column.header == "evidence"}
    assert marks - {"paper"} == set(re.findall(r"\b([PCRS]\d+) ", sources))
    # Raw frames come last, and the paper's rows first.
    sections = list(dict.fromkeys(row.definition.section for row in report.rows))
    assert sections[-2:] == ["more", "more, raw frames"]


# The paper's rows, the undistilled networks that Tables 1 and 3 lack, and the further methods on those data sets.
@pytest.mark.parametrize(("table", "num_rows"), [("1", 12 + 2 + 51), ("2", 11 + 19), ("3", 10 + 2 + 29)])
def test_tables_of_other_methods_grow(table: str, num_rows: int) -> None:
    assert len(_report(table).rows) == num_rows
    plain = build_reports(table, ())[0]
    assert not any(figure.evidence for row in plain.rows for figure in row.published)


@pytest.mark.parametrize("table", ["4", "5", "methods", "networks"])
def test_other_tables_stay_as_they_are(table: str) -> None:
    assert _report(table).table == build_reports(table, ())[0].table


def test_every_further_figure_has_evidence_and_a_source() -> None:
    figures = more_figures()
    assert len({(figure.row, figure.dataset) for figure in figures}) == len(figures) == 138
    assert {figure.evidence for figure in figures} == set(EVIDENCE)
    assert all(figure.source and figure.top1 and 0 < figure.top1 < 100 and figure.gflops is None for figure in figures)
    assert all(figure.top5 is None or figure.top1 < figure.top5 < 100 for figure in figures if figure.top1)


@pytest.mark.parametrize("width", [80, 120])
def test_they_fit_a_terminal_and_short_notes_keep_the_sources(width: int) -> None:
    for table in "123":
        assert max(map(len, render_text(_report(table), width).splitlines())) <= width
        assert "Evidence: P printed by those who measured it" in render([_report(table)], "markdown", notes="short")


def test_the_option(store_template: Path) -> None:
    typed = ["--table", "1", "--extended", "--format", "csv", "--tracking-uri", f"sqlite:///{store_template}"]
    lines = CliRunner().invoke(command, typed, catch_exceptions=False).output.splitlines()
    assert len(lines) == 1 + 65 and sum(",MEACI-Net," in line and ",S3," in line for line in lines) == 1
