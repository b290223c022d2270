"""Fusion by blocks is fusion of the concatenation; late fusion by hand."""

import torch

from cdkd.models.student.fusion import FusionHead, LateFusion


def test_blocks_equal_one_linear_layer_on_the_concatenation():
    head = FusionHead({"iframe": 3, "motion": 4, "decoded": 5}, num_classes=6, dropout=0.0)
    torch.nn.init.normal_(head.bias)
    features = {"decoded": torch.randn(2, 5), "iframe": torch.randn(2, 3), "motion": torch.randn(2, 4)}
    whole = torch.nn.Linear(12, 6)
    whole.weight.data = torch.cat([head.iframe.weight, head.motion.weight, head.decoded.weight], dim=1)
    whole.bias.data = head.bias.data
    concatenated = torch.cat([features["iframe"], features["motion"], features["decoded"]], dim=1)
    torch.testing.assert_close(head(features), whole(concatenated))


def test_sources_the_head_does_not_read_are_ignored():
    head = FusionHead({"iframe": 3}, num_classes=6, dropout=0.0)
    iframe = torch.randn(2, 3)
    assert torch.equal(head({"iframe": iframe, "decoded": torch.randn(2, 9)}), head({"iframe": iframe}))


def test_late_fusion_by_hand():
    head = LateFusion({"iframe": 1, "motion": 1}, {"iframe": 2.0, "motion": 1.0}, num_classes=1, dropout=0.0)
    for layer, weight, bias in ((head.iframe, 3.0, 1.0), (head.motion, 5.0, 0.0)):
        layer.weight.data.fill_(weight)
        layer.bias.data.fill_(bias)
    # I: mean of 3 * (1, 3) + 1 = 7; motion: mean of 5 * (1, 2, 3) = 10; (2 * 7 + 10) / 3 = 8.
    features = {"iframe": torch.tensor([[[1.0], [3.0]]]), "motion": torch.tensor([[[1.0], [2.0], [3.0]]])}
    torch.testing.assert_close(head(features), torch.tensor([[8.0]]))
