"""Table 4's rows of teachers: what the students that are shown have learnt from."""

from collections.abc import Mapping

import pytest
from support.report_runs import BOTH, METADATA, PLAIN, SPATIAL, RunTable

from cdkd.report.assemble import Report, build_reports
from cdkd.report.figures.catalog import figure_bytes
from cdkd.report.render import grid_of, render_csv
from cdkd.report.tracked import read_runs


def taught(validation: float, test: float = 91.0) -> Mapping[str, str]:
    figures = {"test_top1": test, "test_top5": 99.5, "validation_top1": validation}
    return {**METADATA, **{f"teacher_{name}": str(value) for name, value in figures.items()}}


def report(runs: RunTable) -> Report:
    return build_reports("4", read_runs(runs.frame()))[0]


def rows(of: Report) -> dict[str, str]:
    """Top-1 as shown, by key."""
    lines = [(row, line) for row, line in zip(of.rows, grid_of(of).lines, strict=True)]
    return {row.definition.key: next(c.text for c in line.cells if c.column.header == "top-1") for row, line in lines}


@pytest.fixture
def runs() -> RunTable:
    table = RunTable()
    table.add(PLAIN, 0, 60.0, validation=58.0)
    table.add(PLAIN, 1, 62.0, validation=62.0)
    return table


def test_the_teacher_stands_below_the_rows_that_learnt_from_it(runs: RunTable) -> None:
    runs.add(SPATIAL, 0, 70.0, metadata=taught(90.0))
    runs.add(BOTH, 0, 71.0, metadata=taught(90.0))
    shown = rows(report(runs))
    # One teacher, however many rows tell of it; no row where no run knows one.
    assert shown["tsm-teacher"] == "91.0 (1)" and "tdn-teacher" not in shown
    assert list(shown)[:6] == ["tsm-none", "tsm-decoder", "tsm-spatial", "tsm-temporal", "tsm-both", "tsm-teacher"]
    assert not [note for note in report(runs).notes if note.startswith("Warning")]
    assert "tsm-teacher,TSM's teacher (raw)" in render_csv(report(runs))
    assert figure_bytes(report(runs), "png")


def test_a_teacher_of_another_kind_stands_there_under_its_name(runs: RunTable) -> None:
    runs.add({**BOTH, "teacher.arch": "s3d"}, 0, 71.0, metadata=taught(90.0))
    assert rows(report(runs))["tsm-teacher"] == "91.0 (1)"
    assert [note for note in report(runs).notes if "TSM's teacher (raw): s3d, backbone" in note]


@pytest.mark.parametrize(("validation", "is_weak"), [(60.0, True), (60.1, False)])
def test_a_teacher_no_better_than_the_baseline_is_warned_of(runs: RunTable, validation: float, is_weak: bool) -> None:
    runs.add(BOTH, 0, 71.0, metadata=taught(validation))
    warnings = [note for note in report(runs).notes if note.startswith("Warning")]
    assert len(warnings) == is_weak
    if is_weak:
        assert "the TSM rows' teacher is no better on validation videos" in warnings[0]
        assert "(60.0 against 60.0 % of 'TSM, three streams')" in warnings[0]


def test_the_gap_is_counted_over_the_seeds_of_the_difference(runs: RunTable) -> None:
    """With the seed that both have it is 6 of 91 - 60 points; the baseline's 62 with another seed change nothing."""
    runs.add(BOTH, 0, 66.0, metadata=taught(90.0))
    (row,) = [row for row in report(runs).rows if row.definition.key == "tsm-both"]
    assert row.gap_closed == pytest.approx(6 / 31)
