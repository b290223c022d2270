"""TSM and TDN as teachers: their classifier and their published sizes."""

import pytest
import torch

from cdkd.models.teacher.consensus import TDN, TSM


def test_logits_are_the_mean_over_frames_of_one_classifier():
    network = TSM("slim", num_classes=7, num_segments=4, shift_div=4).eval()
    frames = torch.randn(2, 4, 1, 3, 32, 48)
    output = network(frames)
    assert output.maps.shape == (2, 4, 64, 2, 3)
    per_frame = torch.stack([network.head.fc(output.maps[:, t].mean(dim=(2, 3))) for t in range(4)])
    torch.testing.assert_close(output.logits, per_frame.mean(dim=0))


def test_parameters_of_the_published_tsm():
    with torch.device("meta"):
        counts = [sum(p.numel() for p in TSM("resnet50", k, 8).parameters()) for k in (400, 174, 101)]
    assert counts == [24_327_632, 23_864_558, 23_714_981]


def test_the_classifier_starts_narrow_and_unbiased():
    network = TSM("resnet18", num_classes=300, num_segments=2)
    assert network.head.fc.weight.std().item() == pytest.approx(0.001, rel=0.02)
    assert not network.head.fc.bias.any()


def test_parameters_of_the_published_tdn_less_the_unused_and_the_cancelled():
    with torch.device("meta"):
        counts = [sum(p.numel() for p in TDN("resnet50", k, 8).parameters()) for k in (400, 174, 101)]
    unused, biases = 9_472, 26_560 + 1_408
    assert counts == [n - unused - biases for n in (24_883_120, 24_420_046, 24_270_469)]
