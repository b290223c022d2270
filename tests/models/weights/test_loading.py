"""Networks back from their checkpoints in one call, of the kind that was asked for."""

import doctest
from pathlib import Path

import pytest
import torch

from cdkd.models.errors import ModelError
from cdkd.models.student.student import build_student
from cdkd.models.teacher.teacher import build_teacher
from cdkd.models.weights import loading
from cdkd.models.weights.checkpoints import save_model
from cdkd.models.weights.loading import (
    load_model,
    load_student,
    load_teacher,
    student_architecture,
    teacher_architecture,
)
from cdkd.settings import StudentSettings, TeacherSettings


def _save_student(path, settings=None, **shape):
    settings = settings or StudentSettings()
    student = build_student(settings, **shape).eval()
    save_model(Path(path), student, {"architecture": student_architecture(settings, **shape)})
    return student


def _save_teacher(path, settings=None, **shape):
    settings = settings or TeacherSettings()
    teacher = build_teacher(settings, **shape).eval()
    save_model(Path(path), teacher, {"architecture": teacher_architecture(settings, **shape)})
    return teacher


def test_a_student_comes_back_in_one_call(tmp_path):
    path = tmp_path / "student.safetensors"
    settings = StudentSettings(gate="sigmoid")
    shape = {"num_classes": 5, "num_gops": 2, "frames_per_gop": 3, "teacher_channels": 24}
    student = _save_student(path, settings, **shape)
    _, description = load_model(path)
    assert description["architecture"]["num_gops"] == 2
    again = load_student(str(path))
    assert not again.training and again.window == 1
    clips = torch.randn(1, 2, 3, 32, 32), torch.randn(1, 6, 1, 2, 32, 32), torch.randn(1, 6, 1, 3, 32, 32)
    assert torch.equal(again(*clips).logits, student(*clips).logits)


def test_a_teacher_comes_back_for_clips_of_another_length(tmp_path):
    path = tmp_path / "teacher.safetensors"
    settings = TeacherSettings(arch="tdn")
    teacher = _save_teacher(path, settings, num_classes=5, num_segments=8)
    again = load_teacher(path)
    frames = torch.randn(1, 8, 5, 3, 32, 32)
    assert torch.equal(again(frames).logits, teacher(frames).logits)
    shorter = load_teacher(path, num_segments=6)
    assert shorter(frames[:, :6]).maps.shape[1] == 6
    assert shorter.encoder.mixing == (0.5, 0.5)


@pytest.mark.parametrize(
    "architecture",
    [None, {"kind": "poem", "settings": {}}, {"kind": "student", "settings": {"arch": "lstm"}}, {"kind": "teacher"}],
)
def test_a_description_that_builds_nothing_is_refused(tmp_path, architecture):
    path = tmp_path / "net.safetensors"
    save_model(path, torch.nn.Linear(3, 4), {"architecture": architecture} if architecture else {})
    with pytest.raises(ModelError, match="does not say how to build"):
        load_model(path)


def test_a_file_of_the_other_kind_is_refused_with_what_it_holds(tmp_path):
    student, teacher = tmp_path / "student.safetensors", tmp_path / "teacher.safetensors"
    _save_student(student, num_classes=5, num_gops=1, frames_per_gop=2, teacher_channels=24)
    _save_teacher(teacher, num_classes=5, num_segments=2)
    with pytest.raises(ModelError, match=r"student\.safetensors: holds a student, not a teacher; cdkd train teacher"):
        load_teacher(student)
    with pytest.raises(ModelError, match=r"teacher\.safetensors: holds a teacher, not a student; cdkd train student"):
        load_student(teacher)


def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _save_student("student.safetensors", num_classes=12, num_gops=1, frames_per_gop=6, teacher_channels=64)
    _save_teacher("teacher.safetensors", num_classes=12, num_segments=8)
    assert doctest.testmod(loading) == doctest.TestResults(failed=0, attempted=9)
