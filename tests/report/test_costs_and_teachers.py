"""Costs of measured rows, and the teachers' rows of Tables 1 to 3, from the metadata of students' runs."""

import csv
import io
from collections.abc import Mapping

import pytest
from support.report_runs import BOTH, METADATA, PLAIN, SPATIAL, RunTable

from cdkd.models.student.streams import STREAMS
from cdkd.report.assemble import Report, build_reports
from cdkd.report.render import grid_of, render_csv, render_text
from cdkd.report.tables.networks import backbones
from cdkd.report.tracked import read_runs

_COST = {"gmacs_per_view": "52.9", "num_views": "6", "parameters": "71000000"}
_SMALL = {"gmacs_per_view": "0.00584", "num_views": "2", "parameters": "123456"}


def _taught(top1: float, **changes: str) -> dict[str, str]:
    figures = {"teacher_test_top1": str(top1), "teacher_test_top5": str(top1 + 8)}
    return {
        **METADATA,
        **_COST,
        **figures,
        "teacher_gmacs_per_view": "32.7",
        "teacher_parameters": "24000000",
        **changes,
    }


def _report(table: str, runs: RunTable) -> Report:
    return build_reports(table, read_runs(runs.frame()))[0]


def _measured(report: Report) -> dict[str, dict[str, str]]:
    """Texts of the measured columns, by row and header."""
    return {
        row.definition.key: {cell.column.header: cell.text for cell in line.cells if cell.column.group == "measured"}
        for row, line in zip(report.rows, grid_of(report).lines, strict=True)
    }


def test_the_papers_tables_hold_runs_on_their_own_data_alone() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0, metadata={**METADATA, **_COST})
    (report,) = build_reports("1", read_runs(runs.frame()))
    assert report.dataset is None and not any(row.top1 for row in report.rows)
    notes = " ".join(report.notes)
    assert "Runs on shapes stand in a table of their own: cdkd report --table networks." in notes
    assert "cdkd sweep ablation.yaml --recipe ucf101 --set data.root=prepared/ucf101" in notes
    # On the table's own data they stand in it, with the backbone that was measured.
    ours = {"data.name": "ucf101", "data.root": "prepared", "student.streams": "lite"}
    runs.add({**PLAIN, **ours}, 0, 91.0, metadata={**METADATA, **_COST})
    runs.add({**BOTH, **ours}, 0, 93.0, metadata=_taught(95.0))
    (report,) = build_reports("1", read_runs(runs.frame()))
    assert report.dataset == "ucf101"
    lines = dict(zip((row.definition.key for row in report.rows), grid_of(report).lines, strict=True))
    texts = {key: {cell.column.header: cell.text for cell in line.cells} for key, line in lines.items()}
    assert (texts["tsm-none"]["backbone"], texts["tsm-none"]["top-1"]) == ("ResNet-50 (I), ResNet-18", "91.0 (1)")
    assert texts["tsm-both"]["backbone"] == "ResNet-50; ours: ResNet-50 (I), ResNet-18"
    assert (texts["tsm-raw"]["backbone"], texts["tsm-raw"]["top-1"]) == ("ResNet-50; ours: slim", "95.0 (1)")
    assert texts["c3d"]["backbone"] == "C3D"


def test_backbones_are_those_of_the_streams() -> None:
    for name, streams in STREAMS.items():
        told = backbones({"student.streams": name})["backbone"].replace("ResNet-", "resnet").split(", ")
        assert (told[0].removesuffix(" (I)"), told[-1]) == (streams.iframe, streams.motion)
        assert streams.motion == streams.residual


def _teacher(report: Report, key: str = "tsm-raw") -> tuple[str, str]:
    cells = _measured(report)[key]
    return cells["top-1"], cells["top-5"]


def test_costs_are_those_that_were_counted_with_as_many_digits_as_the_smallest_needs() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0, metadata={**METADATA, **_COST})
    runs.add(BOTH, 0, 65.0, metadata={**METADATA, **_SMALL})
    runs.add({**PLAIN, "student.arch": "tdn"}, 0, 61.0)
    report = _report("networks", runs)
    costs = {key: cells["GFLOPs"] for key, cells in _measured(report).items()}
    # 52.9 x 6 = 317.4; 0.00584 x 2 = 0.01168; a run that counted nothing; no run.
    expected = {"tsm-none": "317.400", "tsm-both": "0.012", "tdn-none": "-", "tdn-both": ""}
    assert {key: costs[key] for key in expected} == expected
    note = "GFLOPs are 10^9 multiply-adds per view times the number of views."
    assert note in " ".join(render_text(report).split())
    rows = {line["row"]: line for line in csv.DictReader(io.StringIO(render_csv(report)))}
    names = ("gmacs_per_view", "num_views", "parameters")
    assert [rows["tsm-none"][name] for name in names] == ["52.9", "6", "71000000"]
    assert float(rows["tsm-both"]["gflops"]) == pytest.approx(0.01168)
    assert rows["tdn-none"]["gflops"] == ""


def test_costs_stay_away_where_there_is_nothing_to_compare() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0, metadata={**METADATA, **_COST})
    for table in ("4", "5", "methods"):
        assert "GFLOPs" not in _measured(_report(table, runs))["tsm-none" if table != "5" else "tsm-0-0"]
    (unmeasured,) = build_reports("2", ())
    assert "GFLOPs" not in _measured(unmeasured)["tsm-none"]


def test_teachers_stand_in_the_raw_domain_rows() -> None:
    runs = RunTable()
    for seed in range(3):
        runs.add(PLAIN, seed, 60.0, metadata={**METADATA, **_COST})
        runs.add(BOTH, seed, 65.0, metadata=_taught(89.0))
    # A second teacher, used by a run for which the table has no row; its mean with 89 is 90, its deviation 1.41.
    other = runs.add({**SPATIAL, "teacher.seed": 1}, 0, 64.0, metadata=_taught(91.0))
    report = _report("networks", runs)
    assert _teacher(report) == ("90.0 ± 1.4 (2)", "98.0 ± 1.4")
    assert _teacher(report, "tdn-raw") == ("", "")
    note = "TSM, raw frames: backbone slim, 20 epochs, seeds 0, 1."
    (told,) = [line for line in report.notes if line.startswith("Teachers' rows: raw frames")]
    assert told.endswith(note)
    # The students' figures and notes are those of their own runs.
    assert _measured(report)["tsm-both"]["top-1"] == "65.0 ± 0.0 (3)"
    assert any(line.startswith("Protocol of every row: seeds 0, 1, 2,") for line in report.notes)
    line = next(x for x in csv.DictReader(io.StringIO(render_csv(report))) if x["row"] == "tsm-raw")
    assert (line["num_seeds"], line["seeds"], line["run_ids"]) == ("2", "0 1", f"run005 {other}")
    assert _measured(report)["tsm-raw"]["GFLOPs"] == "196"


def test_a_teacher_stands_in_the_row_of_its_own_network() -> None:
    runs = RunTable()
    runs.add({**BOTH, "teacher.arch": "tdn"}, 0, 65.0, metadata=_taught(87.5))
    report = _report("networks", runs)
    assert (_teacher(report, "tsm-raw"), _teacher(report, "tdn-raw")) == (("", ""), ("87.5 (1)", "95.5"))


def test_teachers_without_figures_show_nothing() -> None:
    runs = RunTable()
    runs.add({**BOTH, "teacher.checkpoint": "imported.safetensors"}, 0, 65.0)
    report = _report("networks", runs)
    assert _teacher(report) == ("", "")
    assert "no run" not in "".join(_measured(report)["tsm-raw"].values())
    assert not any("RD" in note for note in report.notes)


@pytest.mark.parametrize(
    ("overrides", "metadata"),
    [
        ({"evaluation.clips": 2}, {"views": "2 clips x 1 crop"}),
        ({}, {"dataset_version": "another"}),
        ({}, {"num_test_videos": "600"}),
        ({"data.input_size": 64}, {}),
        ({"teacher.train.epochs": 5}, {}),
        ({"teacher.backbone": "resnet18"}, {}),
        ({"data.name": "ucf101", "data.root": "videos"}, {}),
    ],
)
def test_teachers_tested_or_trained_otherwise_are_not_pooled(
    overrides: Mapping[str, object], metadata: Mapping[str, str]
) -> None:
    runs = RunTable()
    runs.add(BOTH, 0, 65.0, metadata=_taught(89.0))
    runs.add(PLAIN, 0, 60.0)
    for seed in (1, 2):
        # Younger, and more of them, but no row of this table.
        runs.add({**SPATIAL, **overrides, "teacher.seed": seed}, 0, 64.0, metadata=_taught(50.0, **metadata))
    assert _teacher(_report("networks", runs)) == ("89.0 (1)", "97.0")


def test_the_youngest_run_tells_of_a_teacher_that_was_trained_again() -> None:
    runs = RunTable()
    runs.add(BOTH, 0, 65.0, metadata=_taught(80.0))
    runs.add(BOTH, 1, 65.0, metadata=_taught(82.0))
    assert _teacher(_report("networks", runs)) == ("82.0 (1)", "90.0")
