"""The table that every study ends with: its cells as rows, its axes as columns."""

import pytest
import scipy.stats
from support.report_runs import METADATA, NO_KD, PLAIN, RunTable

from cdkd.report.render import render_text
from cdkd.report.study_table import study_report
from cdkd.report.tracked import Run, read_runs
from cdkd.tracking.plans import PlannedCell, read_cells

_TAUGHT = {**METADATA, "teacher_test_top1": "85.0", "teacher_test_top5": "99.0", "teacher_validation_top1": "84.0"}
_BY_TDN = {**_TAUGHT, "teacher_test_top1": "90.0"}


def _teachers(num_seeds: int = 2) -> RunTable:
    """As the study `teachers` leaves it: one student, two teachers, and the row that learns from none."""
    runs = RunTable()
    for seed in range(num_seeds):
        named = {"study": "teachers", "stage": "choice"}
        runs.add({}, seed, 77.0 + seed, labels={"teacher": "TSM"}, metadata=_TAUGHT, validation=76.0, **named)
        tdn = {"teacher.arch": "tdn"}
        runs.add(tdn, seed, 79.0 + 2 * seed, labels={"teacher": "TDN"}, metadata=_BY_TDN, validation=78.0, **named)
        runs.add(PLAIN, seed, 70.0, labels={"row": "no KD"}, validation=70.0, **named)
    return runs


def _runs(table: RunTable) -> tuple[Run, ...]:
    return read_runs(table.frame())


def _plan(runs: tuple[Run, ...]) -> list[PlannedCell]:
    return [PlannedCell(run.stage, run.labels, run.seed, run.cell) for run in runs]


# By hand: gaps of 15 and 20 points to the two teachers, of which 7.5 and 10 are closed; differences of 7 and 8 have
# the half-width 12.706 * 0.7071 / sqrt(2) = 6.35, of 9 and 11 twice that.
def test_a_study_without_a_table_of_the_paper_has_its_own() -> None:
    runs = _runs(_teachers())
    report = study_report("teachers", runs, _plan(runs))
    text = render_text(report)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[:2] == ["Study teachers", "Measured on shapes (embedded, synthetic)."]
    assert "TSM - 77.5 ± 0.7 (2) 76.0 85.0 +7.5 [+1.1, +13.9] 50 %" in lines
    assert "TDN - 80.0 ± 1.4 (2) 78.0 90.0 +10.0 [-2.7, +22.7] 50 %" in lines
    assert "- no KD 70.0 ± 0.0 (2) 70.0" in lines
    assert "* Over three streams: points of top-1 above row no KD, paired by seed." in lines
    # Of two teachers the warning names the one that it is about: neither is weak here.
    assert "Warning: the" not in text
    assert [column.header for column in report.columns][:2] == ["teacher", "row"]


def test_rows_are_tested_as_one_family() -> None:
    runs = _runs(_teachers(6))
    rows = {row.definition.method: row for row in study_report("teachers", runs, _plan(runs)).rows}
    tsm, tdn = ([run.metrics["test/top1"] for run in rows[name].finished] for name in ("TSM", "TDN"))
    expected = sorted(2 * float(scipy.stats.ttest_1samp(values, 70.0).pvalue) for values in (tsm, tdn))
    p_values = sorted(rows[name].differences["three streams"].p_value or 0 for name in ("TSM", "TDN"))
    assert p_values[0] == pytest.approx(expected[0])


def test_a_row_is_compared_with_the_one_without_teacher_on_the_same_data() -> None:
    runs = RunTable()
    for clips, plain, taught in ((5, 50.0, 60.0), (10, 70.0, 72.0)):
        size = {"data.shapes.train_clips_per_class": clips}
        runs.add({**PLAIN, **size}, 0, plain, labels={"clips": str(clips), "row": "plain"})
        runs.add(size, 0, taught, labels={"clips": str(clips), "row": "both"})
        runs.add({**NO_KD, **size}, 0, plain + 1, labels={"clips": str(clips), "row": "decoder"})
        # Another rate has no row without teacher: the one that is alike in all else.
        runs.add({**size, "train.learning_rate": 1.0}, 0, 40.0, labels={"clips": str(clips), "row": "fast"})
    found = _runs(runs)
    rows = {row.definition.key: row.differences for row in study_report("clips", found, _plan(found)).rows}
    assert {key: {name: each.mean for name, each in row.items()} for key, row in rows.items()} == {
        "rows: clips 5, plain": {},
        "rows: clips 5, both": {"three streams": 10.0, "decoder": 9.0},
        "rows: clips 5, decoder": {"three streams": 1.0},
        "rows: clips 5, fast": {"three streams": -10.0, "decoder": -11.0},
        "rows: clips 10, plain": {},
        "rows: clips 10, both": {"three streams": 2.0, "decoder": 1.0},
        "rows: clips 10, decoder": {"three streams": 1.0},
        "rows: clips 10, fast": {"three streams": -30.0, "decoder": -31.0},
    }


def test_without_a_row_that_learns_from_nobody_the_first_one_is_the_baseline() -> None:
    runs = RunTable()
    for weight, top1 in ((0.1, 70.0), (1.0, 73.0)):
        runs.add({"distill.spatial.weight": weight}, 0, top1, labels={"distill.spatial.weight": str(weight)})
    found = _runs(runs)
    report = study_report("mine", found, _plan(found))
    assert [{name: each.mean for name, each in row.differences.items()} for row in report.rows] == [
        {},
        {"first row": 3.0},
    ]
    assert "* Over first row: points of top-1 above row spatial.weight 0.1, paired by seed." in render_text(report)


def test_what_was_asked_for_and_has_no_run_is_a_row() -> None:
    runs = _runs(_teachers())
    plan = [*_plan(runs), *(PlannedCell("choice", {"teacher": "S3D"}, seed, f"none{seed}") for seed in range(2))]
    report = study_report("teachers", [run for run in runs if (run.label, run.seed) != ("TDN", 1)], plan)
    assert [row.definition.method for row in report.rows] == ["TSM", "TDN", "no KD", "S3D"]
    notes = " ".join(report.notes)
    assert "missing: TDN: seed 1" in notes and "No run: S3D." in notes


def test_suggestions_of_a_search_are_compared_with_nothing() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0, labels={"row": "plain"}, stage="first")
    runs.add({"distill.spatial.weight": 3.0}, 0, 70.0, labels={"point": "0"}, stage="search", is_search=True)
    runs.add({"distill.spatial.weight": 4.0}, 0, None, status="pruned", labels={"point": "1"}, stage="search",
             is_search=True)  # fmt: skip
    found = _runs(runs)
    report = study_report("mine", found, _plan(found))
    assert [row.differences for row in report.rows] == [{}, {}, {}]
    assert report.columns[0].header == "stage"
    assert any(note.startswith("Stage search: a search suggested these rows") for note in report.notes)


def test_a_row_that_two_stages_ask_for_stands_once() -> None:
    runs = _runs(_teachers())
    again = [PlannedCell("best", {"row": "taken"}, run.seed, run.cell) for run in runs if run.label == "TDN"]
    report = study_report("teachers", runs, [*_plan(runs), *again])
    assert len(report.rows) == 3
    assert "Row best: taken: the same runs as choice: TDN." in report.notes


def test_runs_of_former_settings_are_counted_and_left_out() -> None:
    runs = _teachers()
    runs.add({"train.epochs": 3}, 0, 20.0, labels={"teacher": "TSM"}, study="teachers", stage="choice")
    found = _runs(runs)
    report = study_report("teachers", found, _plan(found[:-1]))
    assert "Runs with settings that the study has no longer, left out: 1." in report.notes
    # Without a plan the youngest settings of a label are the study's.
    assert {row.definition.method: row.top1 and row.top1.mean for row in study_report("teachers", found).rows} == {
        "TSM": 20.0,
        "TDN": 80.0,
        "no KD": 70.0,
    }


def test_former_settings_are_left_out_whatever_the_order_in_which_a_store_names_labels() -> None:
    runs = RunTable()
    for epochs in (40, 10):
        labels = {"arch": "tsm", "weight": "1"}
        runs.add({"train.epochs": epochs}, 0, float(epochs), labels=labels, study="two", stage="rows")
    former, asked = _runs(runs)
    plan = [PlannedCell("rows", {"weight": "1", "arch": "tsm"}, 0, asked.cell)]
    report = study_report("two", (former, asked), plan)
    assert [row.top1 and row.top1.mean for row in report.rows] == [10.0]
    assert "Runs with settings that the study has no longer, left out: 1." in report.notes


def test_the_list_of_a_stages_cells_is_read_back() -> None:
    text = "teacher,row,seed,cell,status,run_id\nTSM,,0,abc,finished,r1\n,no KD,1,def,,\n"
    assert read_cells("choice", text) == [
        PlannedCell("choice", {"teacher": "TSM"}, 0, "abc"),
        PlannedCell("choice", {"row": "no KD"}, 1, "def"),
    ]
