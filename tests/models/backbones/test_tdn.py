"""TDN's parts: what they start as, how they mix, what they refuse. Its numbers are compared in test_official."""

import pytest
import torch

from cdkd.models.backbones.tdn import (
    LongTermBlock,
    LongTermDifference,
    TDNEncoder,
    TemporalConv,
    halve,
    mixing_weights,
)
from cdkd.models.backbones.tsm import temporal_shift
from cdkd.models.errors import ModelError


def test_the_temporal_convolution_starts_as_the_shift():
    x = torch.randn(2 * 5, 16, 3, 4)
    torch.testing.assert_close(TemporalConv(16, 5)(x), temporal_shift(x, 5, 8), rtol=0, atol=0)


def test_the_temporal_convolution_by_hand():
    module = TemporalConv(1, 3)
    module.weight.data = torch.tensor([[[1.0, 10.0, 100.0]]])
    x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).reshape(6, 1, 1, 1)
    # Two clips: (1, 2, 3) and (4, 5, 6); out[t] = x[t-1] + 10 x[t] + 100 x[t+1].
    assert module(x).flatten().tolist() == [210, 321, 32, 540, 654, 65]


def test_long_term_attention_is_at_most_one_half_either_way():
    module = LongTermDifference(32, 4)
    x = torch.rand(8, 32, 6, 6) + 0.1
    ratio = module(x) / x
    assert 0.5 <= ratio.min() < 1 < ratio.max() <= 1.5


def test_forward_and_backward_differences_share_weights_and_update_statistics_twice():
    module = LongTermDifference(32, 4).train()
    module(torch.rand(8, 32, 6, 6))
    assert module.squeeze_bn.num_batches_tracked == 1
    assert module.expand_bn.num_batches_tracked == 2


@pytest.mark.parametrize(("segments", "weights"), [(8, (0.5, 0.5)), (16, (0.75, 0.25)), (6, (0.75, 0.25))])
def test_mixing_weights(segments, weights):
    assert mixing_weights(segments) == weights


def test_mixing_follows_the_training_not_the_clip():
    assert TDNEncoder("slim", num_segments=6).mixing == (0.75, 0.25)
    assert TDNEncoder("slim", num_segments=6, trained_segments=8).mixing == (0.5, 0.5)


@pytest.mark.parametrize(("name", "blocks"), [("slim", 2), ("resnet18", 6), ("resnet50", 13)])
def test_long_term_blocks_stand_in_every_stage_but_the_first(name, blocks):
    with torch.device("meta"):
        encoder = TDNEncoder(name, 4)
    assert sum(isinstance(module, LongTermBlock) for module in encoder.modules()) == blocks
    assert not any(isinstance(module, LongTermBlock) for module in encoder.backbone.layer1.modules())


@pytest.mark.parametrize(("channels", "size"), [(2, 48), (3, 64)])
def test_any_modality_and_the_slim_backbone(channels, size):
    encoder = TDNEncoder("slim", 3, channels, input_norm=True)
    maps = encoder(torch.randn(2, 3, 5, channels, size, size))
    assert maps.shape == (2, 3, 64, size // 16, size // 16)
    assert encoder.short_term.conv.in_channels == 4 * channels


@pytest.mark.parametrize("size", [(6, 8), (7, 9)])
def test_halving_is_average_pooling(size):
    windows = torch.randn(2, 5, 3, *size)
    pooled = torch.nn.functional.avg_pool2d(windows.flatten(0, 1), 2)
    torch.testing.assert_close(halve(windows).flatten(0, 1), pooled)


def test_still_windows_have_no_differences():
    encoder = TDNEncoder("slim", 3).eval()
    picture = torch.randn(2, 3, 1, 3, 32, 32)
    d0, _ = encoder.short_term(picture.expand(-1, -1, 5, -1, -1, -1).flatten(0, 1))
    zero, _ = encoder.short_term(torch.zeros(6, 5, 3, 32, 32))
    assert torch.equal(d0, zero)


def test_pictures_that_are_too_small_are_refused():
    encoder = TDNEncoder("resnet18", 2)
    assert encoder(torch.zeros(1, 2, 5, 3, 33, 40)).shape == (1, 2, 512, 2, 2)
    with pytest.raises(ModelError, match=r"needs pictures of at least 33 pixels, not 48 x 32; raise data\.input_size"):
        encoder(torch.zeros(1, 2, 5, 3, 48, 32))


def test_windows_of_another_length_are_refused():
    with pytest.raises(ModelError, match=r"T, F, C = 3, 5, 3, got \(2, 3, 1, 3, 32, 32\)"):
        TDNEncoder("slim", 3)(torch.zeros(2, 3, 1, 3, 32, 32))
