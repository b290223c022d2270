"""Masked generative distillation against a hand-computed case; its mask and its generator."""

import pytest
import torch
from support.loss_batches import batch
from torch import nn

from cdkd.distill.losses.mgd import MgdSettings, draw_mask, mgd_loss

# B = 1, T = 2, C = 2, H = 1, W = 3
STUDENT = torch.tensor([[[[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]], [[[1.0, 1.0, 1.0]], [[0.0, 0.0, 0.0]]]]])
TEACHER = torch.tensor([[[[[2.0, 2.0, 0.0]], [[8.0, 1.0, 0.0]]], [[[0.0, 1.0, 3.0]], [[1.0, 0.0, 0.0]]]]])
MASK = torch.tensor([[[[[1.0, 0.0, 1.0]]], [[[1.0, 1.0, 0.0]]]]])


class Doubled(nn.Module):
    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return 2 * maps


def test_what_is_generated_from_the_unmasked_is_compared() -> None:
    # t = 0: generated (2, 0, 6; 8, 0, 12): 0 + 4 + 36 + 0 + 1 + 144 = 185.
    # t = 1: generated (2, 2, 0; 0, 0, 0): 4 + 1 + 9 + 1 = 15. Over C H W = 6, averaged over the two frames:
    assert mgd_loss(STUDENT, TEACHER, MASK, Doubled()).item() == pytest.approx((185 + 15) / 6 / 2)


def test_a_generator_that_succeeds_costs_nothing() -> None:
    assert mgd_loss(STUDENT, 2 * STUDENT, torch.ones_like(MASK), Doubled()).item() == 0


def test_whole_positions_are_masked_at_the_wanted_rate_and_the_same_in_every_run() -> None:
    maps = torch.zeros(5, 4, 3, 20, 25)
    torch.manual_seed(11)
    mask = draw_mask(maps, 0.3)
    assert mask.shape == (5, 4, 1, 20, 25) and set(mask.unique().tolist()) == {0.0, 1.0}
    # 10,000 positions: a standard error of half a percent.
    assert mask.mean().item() == pytest.approx(0.7, abs=0.02)
    dropout = torch.rand(3)
    torch.manual_seed(11)
    # Nothing was taken from dropout's stream, and a mask drawn after it is the same.
    assert torch.equal(torch.rand(3), dropout)
    assert torch.equal(draw_mask(maps, 0.3), mask)
    torch.manual_seed(12)
    assert not torch.equal(draw_mask(maps, 0.3), mask)
    assert draw_mask(maps, 0.0).min() == 1


def test_generator_of_the_paper_learns_and_keeps_the_maps_size() -> None:
    loss = MgdSettings(enabled=True)
    generator = loss.build_auxiliary(4)
    assert [tuple(p.shape) for p in generator.parameters()] == [(4, 4, 3, 3), (4,), (4, 4, 3, 3), (4,)]
    loss.value(batch(auxiliary=generator)).total.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.parameters())
    with pytest.raises(ValueError, match="needs its generator"):
        loss.value(batch())


def test_gradients() -> None:
    draw = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(1, 2, 3, 2, 3, generator=draw, dtype=torch.float64) for _ in range(2))
    torch.manual_seed(0)
    generator = MgdSettings().build_auxiliary(3).double()
    mask = draw_mask(student, 0.5)
    assert torch.autograd.gradcheck(lambda s: mgd_loss(s, teacher, mask, generator), (student.requires_grad_(),))
