"""Text for terminals of any width: never a line that is wider."""

import pytest
from support.report_runs import BOTH, PLAIN, SPATIAL, RunTable, six_seeds

from cdkd.report.assemble import Report, build_reports
from cdkd.report.render import render
from cdkd.report.study_table import study_report
from cdkd.report.tables.catalog import TABLES
from cdkd.report.text_table import render_text
from cdkd.report.tracked import read_runs


def _report(table: str) -> Report:
    return build_reports(table, read_runs(six_seeds().frame()))[0]


def _study(label: str = "a rather long label") -> Report:
    runs = RunTable()
    axes = {f"data.axis_{name}": f"{label} of axis {name}" for name in "abcdef"}
    for number, overrides in enumerate((PLAIN, SPATIAL, BOTH)):
        for seed in range(2):
            labels = {**axes, "row": str(number)}
            runs.add(overrides, seed, 60.0 + number, top5=90.0, study="wide", labels=labels)
    return study_report("wide", read_runs(runs.frame()))


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("table", [*sorted(TABLES), "study", "study of long labels"])
def test_no_line_is_wider_than_the_terminal(table: str, width: int) -> None:
    report = _study() if table == "study" else _study("x" * 90) if table.startswith("study") else _report(table)
    assert max(map(len, render_text(report, width).splitlines())) <= width


def test_panels_show_every_cell_once_and_name_their_rows() -> None:
    report = _report("4")
    text = render_text(report, 80)
    name = ["TSM", "+", "ours", "yes", "no"]

    def cells(width: int) -> list[list[str]]:
        lines = [line.split() for line in render_text(report, width).splitlines()]
        return [line[len(name) :] for line in lines if line[: len(name)] == name]

    wide, narrow = cells(1000), cells(80)
    assert len(wide) == 1 and len(narrow) == 4 and [word for line in narrow for word in line] == wide[0]
    # A p stands beside its difference.
    headers = [line for line in text.splitlines() if line.startswith("method")]
    assert [("[95 %]" in line) == (line.split()[-1] == "p" or " p " in line) for line in headers] == [True] * 4
    assert text.count("* Published: Liu et al. 2023, Table 4.") == 1


def test_panels_leave_out_names_that_tell_nothing_more() -> None:
    text = render_text(_report("methods"), 80)
    assert text.count("Hinton et al. 2015") == 1 and text.count("\nlogits KD") == 3


def test_rows_whose_names_do_not_fit_are_numbered() -> None:
    text = render_text(_study(), 80)
    panels = text.partition("\n* ")[0].split("\n\n")
    rows = [[line.split(maxsplit=1) for line in panel.splitlines() if line[:1].isdigit()] for panel in panels[1:]]
    assert len(rows) > 2 and all([number for number, *_ in panel] == ["1", "2", "3"] for panel in rows)
    assert [line[1] for line in rows[-1] if len(line) > 1][1:] == ["62.0 ± 0.0 (2)"] or "62.0 ± 0.0 (2)" in text
    # What alone is wider than the terminal is cut, and says so.
    assert "…" in render_text(_study("x" * 90), 80) and "…" not in text


@pytest.mark.parametrize(("amount", "fewest", "most"), [("none", 0, 0), ("short", 3, 3), ("full", 10, 30)])
def test_how_much_stands_below(amount: str, fewest: int, most: int) -> None:
    text = render([_report("4")], "text", notes=amount)  # type: ignore[arg-type]
    assert fewest <= text.count("\n* ") <= most
    assert "\na its authors' backbones" not in render([_report("1")], "text", notes="none")


def test_short_notes_keep_what_would_mislead() -> None:
    runs = RunTable()
    for seed in range(2):
        runs.add(PLAIN, seed, 60.0, commit="a" * 16)
    runs.add(BOTH, 0, 62.0, commit="b" * 16, dirty=True)
    (report,) = build_reports("4", read_runs(runs.frame()))
    text = render([report], "text", notes="short")
    for sentence in (
        "* Not complete: 9 of 10 rows lack seeds.",
        "* Warning: the rows come from 2 code versions.",
        "* Warning: some runs came from code with uncommitted changes.",
        "* Over three streams: points above that row, paired by seed; one seed tests nothing.",
    ):
        assert sentence in text
