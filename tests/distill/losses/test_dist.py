"""DIST against a hand-computed case and numpy's correlation."""

import numpy as np
import pytest
import torch
from support.loss_batches import batch

from cdkd.distill.losses.dist import DistSettings, dist_loss

# As probabilities at tau = 1, B = 2, K = 3.
STUDENT = torch.log(torch.tensor([[0.2, 0.3, 0.5], [0.5, 0.1, 0.4]]))
TEACHER = torch.log(torch.tensor([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]]))


def test_rows_and_columns_by_hand() -> None:
    inter, intra = dist_loss(STUDENT, TEACHER, 1.0)
    # Rows, thirds subtracted, times 30. Clip 0: (-4, -1, 5) and (-7, -4, 11): 87 / sqrt(42 * 186). Clip 1: (5, -7, 2)
    # and (-1, -1, 2): 6 / sqrt(78 * 6).
    correlations = [87 / (42 * 186) ** 0.5, 6 / (78 * 6) ** 0.5]
    assert inter.item() == pytest.approx(1 - sum(correlations) / 2, rel=1e-5)
    # Columns have two entries, so their correlation is the sign: both grow, one shrinks and one grows, both shrink.
    assert intra.item() == pytest.approx(1 - (1 - 1 + 1) / 3, rel=1e-5)


def test_equals_numpys_correlation_at_another_temperature() -> None:
    draw = torch.Generator().manual_seed(3)
    logits = [torch.randn(4, 6, generator=draw) for _ in range(2)]
    inter, intra = dist_loss(*logits, 2.0)
    ours, theirs = (torch.softmax(x / 2, dim=1).numpy() for x in logits)
    rows = np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(ours, theirs, strict=True)])
    columns = np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(ours.T, theirs.T, strict=True)])
    assert (inter.item(), intra.item()) == (pytest.approx(4 * rows, rel=1e-4), pytest.approx(4 * columns, rel=1e-4))


def test_a_single_clip_has_no_columns_to_compare() -> None:
    student = STUDENT[:1].clone().requires_grad_()
    inter, intra = dist_loss(student, TEACHER[:1], 1.0)
    (inter + intra).backward()
    assert student.grad is not None and torch.isfinite(student.grad).all()


def test_shares_and_all_clips() -> None:
    example = batch()
    doubled = batch(all_clips=lambda logits: torch.cat([logits, logits.flip(1)]))
    inter, intra = dist_loss(
        torch.cat([example.student_logits, example.student_logits.flip(1)]),
        torch.cat([example.teacher_logits, example.teacher_logits.flip(1)]),
        1.0,
    )
    value = DistSettings(inter_class=0.5, intra_class=3.0).value(doubled)
    assert value.total.item() == pytest.approx((0.5 * inter + 3 * intra).item())


def test_gradients() -> None:
    draw = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(3, 4, generator=draw, dtype=torch.float64) for _ in range(2))
    assert torch.autograd.gradcheck(lambda s: dist_loss(s, teacher, 2.0), (student.requires_grad_(),))
