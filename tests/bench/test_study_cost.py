"""What a study will cost, beside the same worked out by hand."""

import json

import pytest
from click.testing import CliRunner
from support.tiny import BASELINE, tiny

from cdkd.bench.study_cost import study_cost
from cdkd.bench.training import BenchError
from cdkd.cli.profile import command
from cdkd.experiment.sizes import student_cost, teacher_cost


def test_the_work_of_a_baseline_and_a_distilled_cell() -> None:
    # 12 classes; of each 2 clips to train on, 1 to validate, 1 to test, and 2 for the teacher.
    plain, taught = tiny(**BASELINE), tiny(train__epochs=5, evaluation__every_epochs=2, teacher__train__epochs=3)
    cost = study_cost([plain, plain, taught], clips_per_second=10.0)
    student = [student_cost(config, 12).gmacs_per_view for config in (plain, taught)]
    teacher = teacher_cost(taught, 12).gmacs_per_view
    work = {part.name: part for part in cost.work}
    assert {name: (part.num_runs, part.clips) for name, part in work.items()} == {
        "teachers: training": (1, 24 * 3),
        "teachers: validation, test": (1, 12 * 2 + 12),
        "students: training": (2, 24 * 2 + 24 * 5),
        "students: validation": (2, 12 + 12 * 3),
        "students: test": (2, 12 + 12),
    }
    steps = [3 * student[0], 3 * student[1] + teacher]
    giga = {
        "teachers: training": 72 * 3 * teacher,
        "teachers: validation, test": 36 * teacher,
        "students: training": 48 * steps[0] + 120 * steps[1],
        "students: validation": 12 * student[0] + 36 * student[1],
        "students: test": 12 * sum(student),
    }
    assert {name: part.exa_macs * 1e9 for name, part in work.items()} == pytest.approx(giga)
    # At 10 clips of the dearer step a second, all work at the speed of that step.
    assert cost.reference_gmacs == pytest.approx(steps[1])
    assert cost.hours(cost.exa_macs) == pytest.approx(sum(giga.values()) / (10 * steps[1]) / 3600)
    assert [network.views for network in cost.networks] == [1, 1, 1] and cost.disk is None


def test_a_study_under_a_recipe_needs_neither_data_nor_teachers() -> None:
    arguments = ["--study", "ablation.yaml", "--recipe", "ucf101", "--json"]
    small = ["--set=student.streams=slim", "--set=teacher.backbone=slim", "--set=data.input_size=32"]
    done = CliRunner().invoke(command, [*arguments, *small], catch_exceptions=False)
    found = json.loads(done.stdout)
    work = {part["name"]: part for part in found["work"]}
    assert found["hours"] is None
    # 9,537 training videos of split 1, a tenth held out; 80 epochs; five cells. 3,783 test videos by 30 views.
    assert work["students: training"]["clips"] == pytest.approx(0.9 * 9537 * 80 * 5)
    assert work["students: test"]["clips"] == 3783 * 30 * 5
    assert found["disk"]["num_videos"] == 13_320 and found["disk"]["prepared_gigabytes"] == pytest.approx(8.4, abs=0.1)


def test_a_measured_step_gives_the_hours() -> None:
    settings = ["--set=data.input_size=32", "--set=data.frames_per_gop=2", "--set=runtime.device=cpu"]
    arguments = ["--study", "ablation.yaml", *settings, "--measure", "--repeats", "1"]
    done = CliRunner().invoke(command, [*arguments, "--batch-size", "2", "--json"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert found["clips_per_second"] > 0 and found["hours"] > 0


def test_a_data_set_of_unknown_size_is_refused() -> None:
    with pytest.raises(BenchError, match=r"data.name=folder: its number of videos is not known; .* shapes, ucf101"):
        study_cost([tiny(data__name="folder", **BASELINE)])
