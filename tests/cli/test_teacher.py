"""`cdkd teacher import` on checkpoints in the authors' format."""

import json

import pytest
import torch
import torchvision
from click.testing import CliRunner
from support.official_networks import slow_tdn, tdn_state, tsm_state

from cdkd.cli.teacher import command
from cdkd.models.errors import ModelError
from cdkd.models.weights.loading import load_model


def _run(*arguments):
    return CliRunner().invoke(command, ["import", *map(str, arguments)], catch_exceptions=False)


def test_a_tdn_file_becomes_a_teacher_that_computes_the_same(tmp_path):
    state = tdn_state(num_classes=6)
    torch.save({"epoch": 60, "best_prec1": torch.tensor(65.3), "state_dict": state}, tmp_path / "best.pth.tar")
    output = tmp_path / "tdn.safetensors"
    result = _run(tmp_path / "best.pth.tar", "--arch", "tdn", "--num-segments", 8, "-o", output)
    assert result.exit_code == 0
    assert "TDN names, resnet50, 6 classes, 8 segments" in result.output
    assert "mapped   724 keys" in result.output
    assert "folded   63 convolution biases" in result.output
    assert "conv1_temp.weight: registered by the authors but never used" in result.output
    network, description = load_model(output)
    clip = torch.randn(1, 8, 5, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        torch.testing.assert_close(network(clip).logits[0], slow_tdn(state, clip[0], 0.5, 0.5)[1])
    assert description["preprocessing"]["mean"] == [0.485, 0.456, 0.406]
    assert description["source"]["keys_mapped"] == 724
    assert description["architecture"]["settings"]["num_segments"] == 8


def test_the_file_name_says_the_segments_and_the_report_names_every_key(tmp_path):
    state = tsm_state(num_classes=6, depth="resnet18")
    file = tmp_path / "TSM_kinetics_RGB_resnet18_shift8_blockres_avg_segment16_e50.pth"
    torch.save({"state_dict": state}, file)
    result = _run(file, "--arch", "tsm", "-o", tmp_path / "tsm.safetensors", "--json")
    report = json.loads(result.output)
    assert report["num_segments"] == 16
    assert len(report["mapped"]) == len(state) == 122
    assert ["layer1.0.conv1.net.weight", "encoder.backbone.layer1.0.conv1.weight"] in report["mapped"]


def test_unknown_segments_are_never_guessed(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "best.pth")
    with pytest.raises(ModelError, match="give --num-segments"):
        _run(tmp_path / "best.pth", "--arch", "tdn", "-o", tmp_path / "out.safetensors")


def test_a_foreign_file_leaves_no_output(tmp_path):
    torch.save({"state_dict": {"module.features.0.weight": torch.zeros(3)}}, tmp_path / "vgg.pth")
    with pytest.raises(ModelError, match=r"vgg\.pth: not a TSM checkpoint: 1 of 1 keys are unknown"):
        _run(tmp_path / "vgg.pth", "--arch", "tsm", "--num-segments", 8, "-o", tmp_path / "out.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["vgg.pth"]


def test_a_file_that_is_not_there_is_what_is_said(tmp_path):
    with pytest.raises(ModelError, match=r"nosuch\.pth: no such file$"):
        _run(tmp_path / "nosuch.pth", "--arch", "tsm", "-o", tmp_path / "out.safetensors")


def test_a_video_network_of_torchvision_becomes_a_teacher_that_computes_the_same(tmp_path):
    torch.manual_seed(0)
    arch, num_frames = "s3d", 16
    theirs = torchvision.models.video.s3d(num_classes=7).eval()
    torch.save(theirs.state_dict(), tmp_path / "net.pth")
    result = _run(tmp_path / "net.pth", "--arch", arch, "-o", tmp_path / "t.safetensors")
    assert result.exit_code == 0
    assert f"torchvision names, {arch}, 7 classes, {num_frames} segments" in result.output
    network, description = load_model(tmp_path / "t.safetensors")
    assert description["preprocessing"]["crop_pixels"] == 224
    frames = torch.randn(1, num_frames, 1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    clip = (frames[:, :, 0] * network.scale + network.offset).transpose(1, 2)
    # Its own pooling fits pictures of 224 pixels alone.
    theirs.avgpool = torch.nn.AdaptiveAvgPool3d(1)
    with torch.no_grad():
        torch.testing.assert_close(network(frames).logits, theirs(clip), rtol=1e-4, atol=1e-5)


def test_another_network_of_torchvision_is_refused(tmp_path):
    torch.save(torchvision.models.video.r3d_18(num_classes=7).state_dict(), tmp_path / "net.pth")
    with pytest.raises(ModelError, match=r"net\.pth: does not fit the network: missing trunk\.stem\.3\.weight"):
        _run(tmp_path / "net.pth", "--arch", "r2plus1d_18", "-o", tmp_path / "t.safetensors")
    with pytest.raises(ModelError, match=r"net\.pth: has no classifier \(head\.1\.weight\), so it is no mvit_v2_s"):
        _run(tmp_path / "net.pth", "--arch", "mvit_v2_s", "-o", tmp_path / "t.safetensors")
