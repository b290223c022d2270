"""Our own checkpoint format, and networks back from it in one call."""

import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from cdkd.models.errors import ModelError
from cdkd.models.student.student import build_student
from cdkd.models.teacher.teacher import build_teacher
from cdkd.models.weights.checkpoints import fill, load_description, load_weights, save_model
from cdkd.models.weights.loading import load_model, student_architecture, teacher_architecture
from cdkd.settings import StudentSettings, TeacherSettings


def _small():
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))


def test_weights_and_description_come_back(tmp_path):
    path = tmp_path / "deep" / "net.safetensors"
    network = _small()
    save_model(path, network, {"classes": ["a", "b"], "architecture": {"kind": "x"}})
    assert load_description(path) == {"classes": ["a", "b"], "architecture": {"kind": "x"}, "format": "cdkd-1"}
    assert json.loads(path.with_suffix(".json").read_text()) == load_description(path)
    assert sorted(p.name for p in path.parent.iterdir()) == ["net.json", "net.safetensors"]
    other = _small()
    load_weights(path, other)
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in other.state_dict().items())


def test_any_safetensors_reader_reads_it(tmp_path):
    path = tmp_path / "net.safetensors"
    save_model(path, _small(), {})
    assert set(load_file(path)) == set(_small().state_dict())


def test_a_failed_write_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "net.safetensors"
    save_model(path, _small(), {"epoch": 1})
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ModelError, match=r"cannot be written: .*No space left"):
        save_model(path, _small(), {"epoch": 2})
    assert path.read_bytes() == before
    assert load_description(path)["epoch"] == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_wrong_suffix_and_unwritable_description_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"checkpoints end in \.safetensors"):
        save_model(tmp_path / "net.pth", _small(), {})
    with pytest.raises(ModelError, match="cannot be written as JSON"):
        save_model(tmp_path / "net.safetensors", _small(), {"x": object()})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_foreign_and_cut_files_are_refused_with_their_path(tmp_path, content):
    path = tmp_path / "net.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"net\.safetensors: (not a safetensors|no description)"):
        load_description(path)


def test_a_cut_checkpoint_is_refused(tmp_path):
    path = tmp_path / "net.safetensors"
    save_model(path, _small(), {})
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ModelError, match="cut short"):
        load_description(path)


def test_safetensors_of_others_name_the_remedy(tmp_path):
    path = tmp_path / "net.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match="cdkd teacher import"):
        load_description(path)
    with pytest.raises(ModelError, match="no such checkpoint"):
        load_description(tmp_path / "absent.safetensors")


def test_filling_is_all_or_nothing():
    network = _small()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = {name: torch.ones_like(tensor) for name, tensor in before.items()}
    state["0.bias"] = torch.ones(7)
    state["2.bias"] = torch.ones(1)
    del state["1.weight"]
    expected = r"not fit the network: missing 1\.weight; unknown 2\.bias; 0\.bias is \(7,\), the network has \(4,\)"
    with pytest.raises(ModelError, match=expected):
        fill(network, state, "file")
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_student_comes_back_in_one_call(tmp_path):
    path = tmp_path / "student.safetensors"
    settings = StudentSettings(gate="sigmoid")
    shape = {"num_classes": 5, "num_gops": 2, "frames_per_gop": 3, "teacher_channels": 24}
    student = build_student(settings, **shape).eval()
    save_model(path, student, {"architecture": student_architecture(settings, **shape)})
    again, description = load_model(path)
    assert description["architecture"]["num_gops"] == 2
    clips = torch.randn(1, 2, 3, 32, 32), torch.randn(1, 6, 1, 2, 32, 32), torch.randn(1, 6, 1, 3, 32, 32)
    assert torch.equal(again(*clips).logits, student(*clips).logits)


def test_a_teacher_comes_back_for_clips_of_another_length(tmp_path):
    path = tmp_path / "teacher.safetensors"
    settings = TeacherSettings(arch="tdn")
    teacher = build_teacher(settings, num_classes=5, num_segments=8).eval()
    save_model(path, teacher, {"architecture": teacher_architecture(settings, num_classes=5, num_segments=8)})
    again, _ = load_model(path)
    frames = torch.randn(1, 8, 5, 3, 32, 32)
    assert torch.equal(again(frames).logits, teacher(frames).logits)
    shorter, _ = load_model(path, num_segments=6)
    assert shorter(frames[:, :6]).maps.shape[1] == 6
    assert shorter.encoder.mixing == (0.5, 0.5)


@pytest.mark.parametrize(
    "architecture",
    [None, {"kind": "poem", "settings": {}}, {"kind": "student", "settings": {"arch": "lstm"}}, {"kind": "teacher"}],
)
def test_a_description_that_builds_nothing_is_refused(tmp_path, architecture):
    path = tmp_path / "net.safetensors"
    save_model(path, _small(), {"architecture": architecture} if architecture else {})
    with pytest.raises(ModelError, match="does not say how to build"):
        load_model(path)
