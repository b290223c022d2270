"""Logit standardisation against a hand-computed case."""

import math

import pytest
import torch
from support.loss_batches import batch

from cdkd.distill.losses.standardised_logits import StandardisedLogitsSettings, standardised


def test_standardised_by_hand() -> None:
    # (1, 1, 4): mean 2, deviations -1, -1, 2, sigma sqrt(6 / 3).
    assert standardised(torch.tensor([[1.0, 1.0, 4.0]])).tolist()[0] == pytest.approx(
        [-1 / math.sqrt(2), -1 / math.sqrt(2), math.sqrt(2)]
    )


def test_logits_that_are_all_alike_stay_finite() -> None:
    logits = torch.full((2, 3), 5.0, requires_grad=True)
    standardised(logits).square().sum().backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


def test_the_loss_by_hand() -> None:
    # Two classes are standardised to (1, -1) and (-1, 1); at tau = 2 the first has the probability 1 / (1 + 1/e), and
    # KL = (2p - 1) log(p / (1 - p)) with log(p / (1 - p)) = 1.
    value = StandardisedLogitsSettings(temperature=2.0).value(
        batch(
            student_logits=torch.tensor([[0.0, 7.0]]),
            teacher_logits=torch.tensor([[3.0, -2.0]]),
            labels=torch.tensor([0]),
        )
    )
    p = 1 / (1 + math.exp(-1))
    assert value.total.item() == pytest.approx(4 * (2 * p - 1))


def test_shift_and_scale_of_logits_do_not_matter() -> None:
    example = batch()
    changed = batch(student_logits=3 * example.student_logits + 11, teacher_logits=example.teacher_logits / 5 - 2)
    loss = StandardisedLogitsSettings()
    assert loss.value(changed).total.item() == pytest.approx(loss.value(example).total.item(), rel=1e-5)


def test_gradients() -> None:
    draw = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(3, 4, generator=draw, dtype=torch.float64) for _ in range(2))
    labels = torch.tensor([3, 0, 2])

    def loss(logits: torch.Tensor) -> torch.Tensor:
        found = batch(student_logits=logits, teacher_logits=teacher, labels=labels)
        return StandardisedLogitsSettings().value(found).total

    assert torch.autograd.gradcheck(loss, (student.requires_grad_(),))
