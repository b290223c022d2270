"""Attention transfer against a hand-computed case."""

import pytest
import torch

from cdkd.distill.losses.attention_transfer import attention_transfer_loss

# B = 1, T = 2, C = 2, H = 1, W = 2
STUDENT = torch.tensor([[[[[1.0, 0.0]], [[1.0, 2.0]]], [[[1.0, 0.0]], [[0.0, 0.0]]]]])
TEACHER = torch.tensor([[[[[2.0, 0.0]], [[0.0, 0.0]]], [[[0.0, 3.0]], [[0.0, 4.0]]]]])


def test_unit_vectors_of_energy_are_compared() -> None:
    # t = 0: energies (2, 4) and (4, 0), as unit vectors (1, 2) / sqrt 5 and (1, 0): ||.||^2 = 2 - 2 / sqrt 5.
    # t = 1: (1, 0) and (0, 25): ||.||^2 = 2. Half the mean over the two frames:
    expected = ((2 - 2 / 5**0.5) + 2) / 2 / 2
    assert attention_transfer_loss(STUDENT, TEACHER).item() == pytest.approx(expected)


def test_strength_and_channels_do_not_matter() -> None:
    swapped = 3 * STUDENT.flip(2)
    assert attention_transfer_loss(STUDENT, swapped).item() == pytest.approx(0, abs=1e-12)


def test_gradients() -> None:
    draw = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(2, 3, 4, 1, 2, generator=draw, dtype=torch.float64) for _ in range(2))
    assert torch.autograd.gradcheck(lambda s: attention_transfer_loss(s, teacher), (student.requires_grad_(),))
