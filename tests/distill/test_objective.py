"""Eq. 7: which terms take part, with which weights; logits distillation by hand."""

import math

import pytest
import torch
from torch.nn import functional

from cdkd.distill.losses.logits import logits_loss
from cdkd.distill.losses.spatial import spatial_loss
from cdkd.distill.losses.temporal import temporal_loss
from cdkd.distill.objective import objective
from cdkd.models.outputs import StudentOutput, TeacherOutput
from cdkd.settings import DistillSettings, LogitsSettings, SpatialSettings, TemporalSettings


def outputs() -> tuple[StudentOutput, TeacherOutput, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    student = StudentOutput(
        torch.randn(2, 5, generator=draw, requires_grad=True),
        torch.randn(2, 3, 4, 1, 2, generator=draw, requires_grad=True),
        torch.rand(2, 3, generator=draw, requires_grad=True),
    )
    teacher = TeacherOutput(torch.randn(2, 5, generator=draw), torch.randn(2, 3, 4, 1, 2, generator=draw))
    return student, teacher, torch.tensor([4, 1])


def settings(spatial: float, temporal: float, logits: float) -> DistillSettings:
    return DistillSettings(
        spatial=SpatialSettings(weight=spatial),
        temporal=TemporalSettings(weight=temporal),
        logits=LogitsSettings(enabled=True, weight=logits, temperature=2.0),
    )


def test_the_total_is_the_weighted_sum() -> None:
    student, teacher, labels = outputs()
    loss = objective(student, teacher, labels, settings(0.25, 2.0, 0.5))
    pooled = student.decoded.mean(dim=(3, 4)), teacher.maps.mean(dim=(3, 4))
    expected = (
        functional.cross_entropy(student.logits, labels)
        + 0.25 * spatial_loss(student.decoded, teacher.maps, student.gate)
        + 2.0 * temporal_loss(*pooled).total
        + 0.5 * logits_loss(student.logits, teacher.logits, 2.0)
    )
    torch.testing.assert_close(loss.total, expected)
    assert {"cross_entropy", "spatial", "temporal", "temporal_quadratic", "logits", "gate_log_std"} <= set(loss.terms)


def test_zero_weights_are_plain_cross_entropy_and_need_no_teacher() -> None:
    student, _, labels = outputs()
    loss = objective(student, None, labels, settings(0.0, 0.0, 0.0))
    assert loss.total.item() == functional.cross_entropy(student.logits, labels).item()
    assert not {"spatial", "temporal", "logits"} & set(loss.terms)


def test_a_detached_gate_gets_no_gradient_from_eq_4() -> None:
    student, teacher, labels = outputs()
    objective(student, teacher, labels, settings(1.0, 0.0, 0.0)).total.backward()
    assert student.gate.grad is None
    objective(student, teacher, labels, settings(1.0, 0.0, 0.0), detach_gate=False).total.backward()
    assert student.gate.grad.abs().min() > 0


def test_distillation_without_a_teacher_is_refused() -> None:
    student, _, labels = outputs()
    with pytest.raises(ValueError, match="teacher"):
        objective(student, None, labels, settings(0.1, 0.0, 0.0))


def test_logits_distillation_by_hand() -> None:
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[2 * math.log(3), 0.0]])
    # At tau = 2 the teacher says (3/4, 1/4), the student (1/2, 1/2).
    expected = 4 * (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5))
    assert logits_loss(student, teacher, 2.0).item() == pytest.approx(expected)
    assert logits_loss(teacher, teacher, 3.0).item() == pytest.approx(0, abs=1e-7)
