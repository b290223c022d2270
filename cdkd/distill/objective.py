"""Eq. 7: the weighted sum of cross-entropy and the distillation terms."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cdkd.distill.losses.logits import logits_loss
from cdkd.distill.losses.spatial import gate_statistics, spatial_loss
from cdkd.distill.losses.temporal import temporal_loss
from cdkd.models.outputs import StudentOutput, TeacherOutput
from cdkd.settings import DistillSettings


@dataclass(frozen=True)
class Loss:
    """The total to minimise, and what it was made of, by name, detached."""

    total: Tensor
    terms: dict[str, Tensor | float]


def objective(
    student: StudentOutput,
    teacher: TeacherOutput | None,
    labels: Tensor,
    settings: DistillSettings,
    *,
    detach_gate: bool = True,
    label_smoothing: float = 0.0,
    batch_mean: Callable[[Tensor], Tensor] = torch.mean,
) -> Loss:
    """L = CE + lambda1 L_spatial + lambda2 L_temporal + lambda3 L_logits; terms of weight 0 are not computed.

    Args:
        student: its logits (B, K), decoded maps and gate.
        teacher: its logits (B, K) and maps; None allows cross-entropy alone.
        labels: (B,) int64.
        settings: which terms, in which form, with which weights.
        detach_gate: Eq. 4 is linear in the gate, so a gate that it trains runs to an extreme; detached, the gate learns
            from the cross-entropy alone, through the pooling of the decoded maps.
        label_smoothing: of the cross-entropy.
        batch_mean: mean over the clips of a step of what only scales a loss; data-parallel training has its own.

    Raises:
        ValueError: a distillation term is wanted but teacher, decoded maps or gate are missing.
    """
    cross_entropy = functional.cross_entropy(student.logits.float(), labels, label_smoothing=label_smoothing)
    total = cross_entropy
    terms: dict[str, Tensor | float] = {"cross_entropy": cross_entropy.detach()}
    if student.gate is not None:
        terms.update(gate_statistics(student.gate))
    if settings.spatial.enabled and settings.spatial.weight > 0:
        decoded, teacher_output, gate = _matched(student, teacher)
        spatial = spatial_loss(
            decoded, teacher_output.maps, gate.detach() if detach_gate else gate, settings.spatial.form
        )
        total = total + settings.spatial.weight * spatial
        terms["spatial"] = spatial.detach()
    if settings.temporal.enabled and settings.temporal.weight > 0:
        decoded, teacher_output, _ = _matched(student, teacher)
        temporal = temporal_loss(
            decoded.mean(dim=(3, 4)),
            teacher_output.maps.mean(dim=(3, 4)),
            settings.temporal.form,
            settings.temporal.plain_graph,
            batch_mean,
        )
        total = total + settings.temporal.weight * temporal.total
        terms["temporal"] = temporal.total.detach()
        terms.update({f"temporal_{name}": part.detach() for name, part in temporal.by_graph.items()})
        terms.update({f"largest_edge_{name}": edge.detach() for name, edge in temporal.largest_edge.items()})
    if settings.logits.enabled and settings.logits.weight > 0:
        if teacher is None:
            raise ValueError("logits distillation needs the teacher's output")
        logits = logits_loss(student.logits, teacher.logits, settings.logits.temperature)
        total = total + settings.logits.weight * logits
        terms["logits"] = logits.detach()
    terms["loss"] = total.detach()
    return Loss(total, terms)


def _matched(student: StudentOutput, teacher: TeacherOutput | None) -> tuple[Tensor, TeacherOutput, Tensor]:
    if teacher is None or student.decoded is None or student.gate is None:
        raise ValueError("spatial and temporal distillation need the teacher's output and a student with decoder")
    return student.decoded, teacher, student.gate


def classification_loss(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy of logits (B, K) alone: what teachers and pre-trained streams learn from."""
    cross_entropy = functional.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)
    return Loss(cross_entropy, {"loss": cross_entropy.detach()})
