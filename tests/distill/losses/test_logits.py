"""Logits distillation against a hand-computed case."""

import math

import pytest
import torch

from cdkd.distill.losses.logits import logits_loss


def test_by_hand() -> None:
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[2 * math.log(3), 0.0]])
    # At tau = 2 the teacher says (3/4, 1/4), the student (1/2, 1/2).
    expected = 4 * (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5))
    assert logits_loss(student, teacher, 2.0).item() == pytest.approx(expected)
    assert logits_loss(teacher, teacher, 3.0).item() == pytest.approx(0, abs=1e-7)


def test_gradients() -> None:
    draw = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(3, 4, generator=draw, dtype=torch.float64) for _ in range(2))
    assert torch.autograd.gradcheck(lambda s: logits_loss(s, teacher, 4.0), (student.requires_grad_(),))
