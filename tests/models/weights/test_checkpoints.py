"""Our own checkpoint format."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cdkd.models.errors import ModelError
from cdkd.models.weights.checkpoints import fill, load_weights, require_output, save_model
from cdkd.models.weights.description import load_description


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


def test_a_place_that_cannot_hold_a_checkpoint_is_refused_before_the_work(tmp_path):
    require_output(tmp_path / "new" / "net.safetensors")
    assert list((tmp_path / "new").iterdir()) == []
    with pytest.raises(ModelError, match=r"--output .*net\.pth: checkpoints end in \.safetensors"):
        require_output(tmp_path / "net.pth")
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"--output .*file: cannot be written: File exists; name another place"):
        require_output(tmp_path / "file" / "net.safetensors")
    with pytest.raises(ModelError, match=r"--output /proc/nowhere: cannot be written: "):
        require_output(Path("/proc/nowhere/net.safetensors"))
