"""The training benchmark: its rows, what they are relative to, and what their speed amounts to."""

import json

import pytest
import torch
from click.testing import CliRunner

from cdkd.bench import training
from cdkd.bench.training import BenchError, measure_training
from cdkd.cli.bench import command
from cdkd.models.complexity import student_complexity, teacher_complexity
from cdkd.settings import StudentSettings, TeacherSettings

SMALL = {"runtime.device": "cpu", "data.input_size": 32, "data.frames_per_gop": 2}


def test_rows_are_relative_to_their_groups_first_and_count_their_work() -> None:
    arguments = [f"--set={key}={value}" for key, value in SMALL.items()]
    done = CliRunner().invoke(command, ["training", *arguments, "--batch-size", "3", "--repeats", "1", "--json"])
    report = json.loads(done.stdout)
    rows = report["rows"]
    assert [row["group"] for row in rows] == ["inference"] * 3 + ["training"] * 4
    first = {"inference": rows[0], "training": rows[3]}
    assert (first["inference"]["name"], rows[3]["name"]) == ("teacher", "three streams without decoder, no teacher")
    for row in rows:
        assert row["ratio"] == pytest.approx(row["clips_per_second"] / first[row["group"]]["clips_per_second"])
        assert row["fraction_of_peak"] == pytest.approx(row["tera_flops"] / report["peak_tera_flops"])
    teacher = teacher_complexity(TeacherSettings(), num_classes=101, num_segments=2, size=32).gmacs_per_view
    student = student_complexity(
        StudentSettings(), num_classes=101, num_gops=1, frames_per_gop=2, teacher_channels=64, size=32
    ).gmacs_per_view
    work = {row["name"]: 1e3 * row["tera_flops"] / row["clips_per_second"] / 2 for row in rows[3:]}
    assert work["student with teacher"] == pytest.approx(3 * student + teacher, rel=1e-6)
    assert work["teacher"] == pytest.approx(3 * teacher, rel=1e-6)


def test_what_cannot_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BenchError, match="--preset tiny: unknown; known: shapes, paper, lite, coverage"):
        measure_training("tiny", {}, 1, 1)

    def full(*arguments: object) -> float:
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(training, "_matmul_tera_flops", lambda device, plan, repeats: 1.0)
    monkeypatch.setattr(training, "_median_seconds", full)
    with pytest.raises(BenchError, match="5 clips do not fit into the memory of cpu; lower --batch-size"):
        measure_training("shapes", SMALL, 5, 1)
