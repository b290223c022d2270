"""Checkpoints in the authors' names: every key accounted for, and the network computes what theirs does."""

import pytest
import torch
from support.official_networks import slow_tdn, slow_tsm, tdn_state, tsm_state

from cdkd.models.errors import ModelError
from cdkd.models.weights.official import import_official
from cdkd.models.weights.state_dict_io import read_state_dict, strip_prefix


def _assert_close(ours, theirs):
    # Relative to the largest value: both compute in single precision.
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= 1e-5 * max(1.0, theirs.abs().max().item())


@pytest.mark.parametrize(("num_segments", "size"), [(8, 64), (16, 32)])
def test_tsm_equals_the_slow_reference_at_every_stage(num_segments, size):
    state = tsm_state(num_classes=11)
    network, report = import_official(strip_prefix(state, "module."), "tsm", num_segments, "file")
    clip = torch.randn(1, num_segments, 1, 3, size, size + 32, generator=torch.Generator().manual_seed(1))
    maps, logits = slow_tsm(state, clip[0, :, 0])
    with torch.no_grad():
        for ours, theirs in zip(network.encoder.stage_maps(clip), maps, strict=True):
            _assert_close(ours[0], theirs)
        _assert_close(network(clip).logits[0], logits)
    assert (report.naming, report.backbone, report.num_classes) == ("TSM", "resnet50", 11)
    assert len(report.mapped) == 320
    assert report.folded == report.dropped == report.missing == ()


@pytest.mark.parametrize(("num_segments", "mixing"), [(8, (0.5, 0.5)), (16, (0.75, 0.25))])
def test_tdn_equals_the_slow_reference_at_every_stage(num_segments, mixing):
    state = tdn_state(num_classes=11)
    network, report = import_official(strip_prefix(state, "module."), "tdn", num_segments, "file")
    clip = torch.randn(1, num_segments, 5, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    maps, logits = slow_tdn(state, clip[0], *mixing)
    with torch.no_grad():
        for ours, theirs in zip(network.encoder.stage_maps(clip), maps, strict=True):
            _assert_close(ours[0], theirs)
        _assert_close(network(clip).logits[0], logits)
    # 789 keys: 320 of torchvision + 53 biases + 2 unused + 6 stem + 70 second layer1 + 13 x 26.
    assert len(state) == 789
    assert len(report.folded) == 53 + 10
    assert [key for key, _ in report.dropped] == ["conv1_temp.weight", "conv1_temp.bias"]
    assert len(report.mapped) == 789 - 63 - 2
    assert report.missing == ()


def test_every_second_block_of_resnet101_is_shifted():
    state = tsm_state(num_classes=3, depth="resnet101")
    network, report = import_official(strip_prefix(state, "module."), "tsm", 4, "file")
    clip = torch.randn(2, 4, 1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = network(clip).logits
    _assert_close(logits[1], slow_tsm(state, clip[1, :, 0], "resnet101")[1])
    assert report.backbone == "resnet101"


def _as_mmaction(state):
    """The same weights under MMAction2's names."""
    renamed = {}
    for key, value in state.items():
        key = key.removeprefix("module.").removeprefix("base_model.")
        if key.startswith("new_fc"):
            renamed[key.replace("new_fc", "cls_head.fc_cls")] = value
            continue
        parts = key.split(".")
        if parts[0] == "conv1":
            parts = ["conv1", "conv", *parts[1:]]
        elif parts[0] == "bn1":
            parts = ["conv1", "bn", *parts[1:]]
        elif parts[2] == "downsample":
            parts = [*parts[:3], "conv" if parts[3] == "0" else "bn", *parts[4:]]
        elif parts[2].startswith("conv"):
            parts = [*parts[:3], "conv", *parts[3:]]
        else:
            parts = [*parts[:2], f"conv{parts[2][2]}", "bn", *parts[3:]]
        renamed["backbone." + ".".join(parts)] = value
    return renamed


def test_mmaction2_names_give_the_same_network():
    state = tsm_state(num_classes=5, depth="resnet18")
    theirs = _as_mmaction(state)
    assert "backbone.layer1.0.conv1.conv.net.weight" in theirs
    network, report = import_official(theirs, "tsm", 4, "file")
    reference, _ = import_official(strip_prefix(state, "module."), "tsm", 4, "file")
    assert report.naming == "MMAction2"
    for name, tensor in reference.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor), name


def test_a_file_without_batch_counters_loads_and_says_so():
    state = {k: v for k, v in tsm_state(3, "resnet18").items() if not k.endswith("num_batches_tracked")}
    network, report = import_official(strip_prefix(state, "module."), "tsm", 8, "file")
    assert len(report.missing) == 20
    assert network.encoder.backbone.bn1.num_batches_tracked == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("base_model.layer2.0.conv2.weight"), "missing encoder.backbone.layer2.0.conv2.weight"),
        (lambda s: s.update({"extra.weight": torch.zeros(1)}), "1 of 123 keys are unknown, such as extra.weight"),
        (lambda s: s.update({"base_model.bn1.weight": torch.zeros(9)}), r"bn1.weight is \(9,\), the network"),
        (lambda s: s.pop("new_fc.weight"), "has no classifier"),
        (lambda s: s.update({"base_model.fc.weight": torch.zeros(1)}), "two classifiers"),
        (lambda s: s.update({"base_model.layer2.0.nl.g.weight": torch.zeros(1)}), "non-local"),
        (lambda s: s.update({"base_model.layer1.7.bn1.weight": torch.zeros(64)}), "belong to no known ResNet"),
    ],
)
def test_a_damaged_state_is_refused_by_name(change, message):
    state = strip_prefix(tsm_state(3, "resnet18"), "module.")
    change(state)
    with pytest.raises(ModelError, match=message):
        import_official(state, "tsm", 8, "file.pth")


def test_a_tdn_file_given_as_tsm_names_the_remedy():
    with pytest.raises(ModelError, match="--arch tdn"):
        import_official(strip_prefix(tdn_state(3), "module."), "tsm", 8, "file.pth")


def test_reading_unwraps_containers_and_prefixes(tmp_path):
    import numpy as np

    path = tmp_path / "net.pth.tar"
    torch.save({"epoch": 3, "best_prec1": np.float64(63.1), "state_dict": {"module.a": torch.arange(3)}}, path)
    state = read_state_dict(path)
    assert list(state) == ["a"]
    assert torch.equal(state["a"], torch.arange(3))


class _Foreign:
    """Stands for any class a foreign training script pickled."""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {"a": torch.zeros(1)}, "args": _Foreign()}, "refused: it holds an object of"),
        ({"state_dict": {"a": 3}}, "a are no tensors"),
        ([torch.zeros(1)], "no state dict, but list"),
    ],
)
def test_foreign_content_is_refused(tmp_path, content, message):
    path = tmp_path / "net.pth"
    torch.save(content, path)
    with pytest.raises(ModelError, match=message):
        read_state_dict(path)


@pytest.mark.parametrize("is_zip", [True, False])
def test_both_of_pytorchs_file_formats_are_read_and_any_damage_is_refused(tmp_path, is_zip):
    path = tmp_path / "net.pth"
    content = {"epoch": 3, "state_dict": {"module.a": torch.arange(3.0), "module.b": torch.zeros(2, 2)}}
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    assert read_state_dict(path)["a"].tolist() == [0, 1, 2]
    whole = path.read_bytes()
    for length in range(0, len(whole) - 64, 37):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"net\.pth"):
            read_state_dict(path)


@pytest.mark.parametrize("content", [b"", b"hello world", b"PK\x03\x04 no zip"])
def test_a_file_that_is_no_checkpoint_is_refused_with_its_path(tmp_path, content):
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"net\.pth: (not a PyTorch checkpoint|refused)"):
        read_state_dict(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"absent\.pth: no such file"):
        read_state_dict(tmp_path / "absent.pth")
