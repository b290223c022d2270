"""Eq. 7: which losses take part, with which weights, and what they bring along."""

import pytest
import torch
from torch.nn import functional

from cdkd.distill.losses.logits import LogitsSettings, logits_loss
from cdkd.distill.losses.loss import LossBatch
from cdkd.distill.losses.mgd import draw_mask, mgd_loss
from cdkd.distill.losses.spatial import SpatialSettings, spatial_loss
from cdkd.distill.losses.table import LOSSES, DistillSettings
from cdkd.distill.losses.temporal import TemporalSettings, temporal_loss
from cdkd.distill.objective import build_auxiliary, objective
from cdkd.models.outputs import StudentOutput, TeacherOutput


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
    assert {"cross_entropy", "spatial", "temporal", "temporal_quadratic", "logits", "gate/log_std"} <= set(loss.terms)


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


def test_a_loss_that_brings_a_network_along_gets_it() -> None:
    student, teacher, labels = outputs()
    off = {name: {"enabled": False} for name in LOSSES}
    wanted = DistillSettings.model_validate({**off, "mgd": {"enabled": True, "weight": 3.0, "masked_share": 0.25}})
    torch.manual_seed(5)
    auxiliary = build_auxiliary(wanted, 4)
    assert list(auxiliary) == ["mgd"]
    loss = objective(student, teacher, labels, wanted, auxiliary=auxiliary)
    assert student.decoded is not None
    mgd = mgd_loss(student.decoded, teacher.maps, draw_mask(student.decoded, 0.25), auxiliary["mgd"])
    torch.testing.assert_close(loss.total, functional.cross_entropy(student.logits, labels) + 3 * mgd)
    assert not list(build_auxiliary(DistillSettings(), 4).parameters())


def test_clips_without_labels_teach_by_every_loss_that_reads_none() -> None:
    """Five clips, the first two labelled; MGD, whose mask is drawn for a batch, has a test of its own."""
    draw = torch.Generator().manual_seed(3)
    shapes = ((5, 4), (5, 3, 4, 1, 2), (5, 3))
    student = StudentOutput(*(torch.rand(shape, generator=draw, requires_grad=True) for shape in shapes))
    teacher = TeacherOutput(*(torch.rand(shape, generator=draw) for shape in shapes[:2]))
    labels = torch.tensor([3, 0])
    wanted = DistillSettings.model_validate({name: {"enabled": name != "mgd", "weight": 0.5} for name in LOSSES})
    parts = objective(student, teacher, labels, wanted).parts
    every = LossBatch(
        student.logits, teacher.logits, None, student.decoded, teacher.maps, student.gate, torch.mean, lambda x: x
    )
    for name, loss in wanted.used.items():
        expected = loss.value(every.labelled(labels) if name == "decoupled" else every).total
        torch.testing.assert_close(parts[name], expected, msg=name)
    torch.testing.assert_close(parts["cross_entropy"], functional.cross_entropy(student.logits[:2], labels))
    (gradient,) = torch.autograd.grad(parts["cross_entropy"] + parts["decoupled"], student.logits, retain_graph=True)
    assert gradient[:2].any() and not gradient[2:].any()
    (gradient,) = torch.autograd.grad(parts["spatial"], student.decoded, retain_graph=True)
    assert all(clip.any() for clip in gradient)
    with pytest.raises(ValueError, match="must name them among its needs"):
        wanted.decoupled.value(every)
