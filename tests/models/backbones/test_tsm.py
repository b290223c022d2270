"""Temporal shift: direction, placement, borders."""

import pytest
import torch

from cdkd.models.backbones.resnet import build_backbone
from cdkd.models.backbones.tsm import TemporalShift, TSMEncoder, insert_temporal_shift, temporal_shift
from cdkd.models.errors import ModelError


def test_the_shift_of_two_clips_by_hand():
    # Value = 100 * clip + 10 * t + channel; 2 clips, T = 3, 5 channels, fold = 5 // 4 = 1.
    x = torch.tensor([[[100 * b + 10 * t + c for c in range(5)] for t in range(3)] for b in range(2)]).float()
    shifted = temporal_shift(x.reshape(6, 5, 1, 1), num_segments=3, shift_div=4).reshape(2, 3, 5)
    assert shifted.tolist() == [
        [[10, 0, 2, 3, 4], [20, 1, 12, 13, 14], [0, 11, 22, 23, 24]],
        [[110, 0, 102, 103, 104], [120, 101, 112, 113, 114], [0, 111, 122, 123, 124]],
    ]


def test_its_gradient_is_the_shift_back():
    x = torch.randn(6, 8, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: temporal_shift(y, 3, 4), x)


def test_the_memory_format_is_kept():
    x = torch.randn(6, 8, 4, 5).contiguous(memory_format=torch.channels_last)
    shifted = temporal_shift(x, 3, 4)
    assert shifted.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(shifted, temporal_shift(x.contiguous(), 3, 4))


@pytest.mark.parametrize(("name", "shifted"), [("slim", 3), ("resnet18", 8), ("resnet50", 16), ("resnet101", 18)])
def test_every_block_shifts_and_every_second_of_a_deep_network(name, shifted):
    with torch.device("meta"):
        backbone = build_backbone(name)
        insert_temporal_shift(backbone, 4, 8)
    assert sum(isinstance(module, TemporalShift) for module in backbone.modules()) == shifted


def test_the_shortcut_sees_unshifted_features():
    backbone = build_backbone("slim").eval()
    insert_temporal_shift(backbone, 3, 4)
    block = backbone.layer1[0]
    block.bn2.weight.data.zero_()
    x = torch.rand(3, 16, 4, 4)
    assert torch.equal(block(x), x)


def test_a_single_frame_is_not_shifted():
    encoder = TSMEncoder("slim", num_segments=1, shift_div=4)
    assert not any(isinstance(module, TemporalShift) for module in encoder.modules())


def test_frames_of_another_shape_are_refused():
    network = TSMEncoder("slim", num_segments=4)
    with pytest.raises(ModelError, match=r"T, F, C = 4, 1, 3, got \(2, 5, 1, 3, 32, 32\)"):
        network(torch.zeros(2, 5, 1, 3, 32, 32))
