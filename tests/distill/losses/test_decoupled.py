"""Decoupled distillation against a hand-computed case."""

import math

import pytest
import torch
from support.loss_batches import batch

from cdkd.distill.losses.decoupled import DecoupledSettings, decoupled_loss
from cdkd.distill.losses.logits import logits_loss

# At tau = 2 the exponentials are the student's 1, 1, 2 and the teacher's 6, 1, 3; the label is class 0.
STUDENT = 2 * torch.log(torch.tensor([[1.0, 1.0, 2.0]]))
TEACHER = 2 * torch.log(torch.tensor([[6.0, 1.0, 3.0]]))
LABELS = torch.tensor([0])


def kl(theirs: list[float], ours: list[float]) -> float:
    return sum(p * math.log(p / q) for p, q in zip(theirs, ours, strict=True))


def test_target_and_others_apart() -> None:
    target, others = decoupled_loss(STUDENT, TEACHER, LABELS, 2.0)
    # The target's probability is 6/10 against 1/4; the others are 1/4, 3/4 against 1/3, 2/3 among themselves.
    assert target.item() == pytest.approx(4 * kl([0.6, 0.4], [0.25, 0.75]), rel=1e-5)
    assert others.item() == pytest.approx(4 * kl([0.25, 0.75], [1 / 3, 2 / 3]), rel=1e-5)


def test_weighted_as_in_eq_6_both_are_logits_distillation() -> None:
    # KD = TCKD + (1 - p_label of the teacher) NCKD.
    target, others = decoupled_loss(STUDENT, TEACHER, LABELS, 2.0)
    assert (target + 0.4 * others).item() == pytest.approx(logits_loss(STUDENT, TEACHER, 2.0).item(), rel=1e-5)


def test_shares() -> None:
    example = batch()
    value = DecoupledSettings(target=0.5, others=3.0, temperature=2.0).value(example)
    target, others = decoupled_loss(example.student_logits, example.teacher_logits, example.labels, 2.0)
    assert value.total.item() == pytest.approx((0.5 * target + 3 * others).item())
    assert value.logged == {"decoupled_target": target, "decoupled_others": others}


def test_gradients() -> None:
    draw = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(3, 4, generator=draw, dtype=torch.float64) for _ in range(2))
    labels = torch.tensor([3, 0, 2])
    assert torch.autograd.gradcheck(lambda s: decoupled_loss(s, teacher, labels, 4.0), (student.requires_grad_(),))
