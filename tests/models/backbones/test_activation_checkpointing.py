"""Recomputed activations change memory only: loss, gradients and running statistics stay the same."""

import copy

import pytest
import torch

from cdkd.models.backbones.resnet import checkpoint_activations
from cdkd.models.student.student import build_student
from cdkd.settings import StudentSettings


@pytest.mark.parametrize("arch", ["tsm", "tdn"])
def test_everything_but_memory_is_equal(arch):
    torch.manual_seed(0)
    kept = build_student(
        StudentSettings(arch=arch), num_classes=5, num_gops=1, frames_per_gop=3, teacher_channels=24
    ).train()
    again = copy.deepcopy(kept)
    checkpoint_activations(again)
    window = kept.window
    clips = torch.randn(2, 1, 3, 32, 48), torch.randn(2, 3, window, 2, 32, 48), torch.randn(2, 3, window, 3, 32, 48)
    sizes = {}
    for network in (kept, again):
        saved = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, saved=saved: saved.append(t.numel()) or t, lambda t: t):
            loss = network(*clips).logits.logsumexp(dim=1).sum()
        loss.backward()
        sizes[network] = sum(saved)
    gradients = {name: p.grad for name, p in kept.named_parameters()}
    for name, parameter in again.named_parameters():
        assert torch.equal(parameter.grad, gradients[name]), name
    state = kept.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in again.state_dict().items())
    assert state["streams.motion.backbone.layer3.0.bn1.num_batches_tracked"] == 1
    assert sizes[again] < 0.8 * sizes[kept]
