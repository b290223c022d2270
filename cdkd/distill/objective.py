"""Eq. 7: the weighted sum of cross-entropy and the distillation losses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from cdkd.distill.losses.loss import LossBatch
from cdkd.distill.losses.spatial import gate_statistics
from cdkd.distill.losses.table import DistillSettings
from cdkd.models.outputs import StudentOutput, TeacherOutput


@dataclass(frozen=True)
class Loss:
    """The total to minimise, and what it was made of, by name, detached; every tensor is ()."""

    total: Tensor
    terms: dict[str, Tensor | float]
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    """Cross-entropy and losses by name, with gradient, without weights and units; () each."""


def build_auxiliary(settings: DistillSettings, num_channels: int) -> nn.ModuleDict:
    """The networks that the losses in use bring along, by the loss's name; empty for most runs.

    Args:
        settings: which losses take part.
        num_channels: C of the teacher's maps.
    """
    networks = {name: loss.build_auxiliary(num_channels) for name, loss in settings.used.items()}
    return nn.ModuleDict({name: network for name, network in networks.items() if network is not None})


def _all_clips_of_one_process(per_clip: Tensor) -> Tensor:
    """(B, ...) as it is."""
    return per_clip


def objective(
    student: StudentOutput,
    teacher: TeacherOutput | None,
    labels: Tensor,
    settings: DistillSettings,
    *,
    auxiliary: nn.ModuleDict | None = None,
    detach_gate: bool = True,
    units: Mapping[str, float] | None = None,
    label_smoothing: float = 0.0,
    batch_mean: Callable[[Tensor], Tensor] = torch.mean,
    all_clips: Callable[[Tensor], Tensor] = _all_clips_of_one_process,
) -> Loss:
    """L = CE + lambda1 u1 L_spatial + lambda2 u2 L_temporal + ..., u the units; what takes no part is not computed.

    The first L of the B clips are labelled: CE, and losses that need labels, are means over these; all other losses
    are means over all B.

    Args:
        student: its logits (B, K), decoded maps and gate.
        teacher: its logits (B, K) and maps; None allows cross-entropy alone.
        labels: (L,) int64, L <= B.
        settings: which losses, in which form, with which weights.
        auxiliary: `build_auxiliary` of the settings; None where no loss brings a network along.
        detach_gate: Eq. 4 is linear in the gate, so a gate that it trains runs to an extreme; detached, the gate learns
            from the cross-entropy alone, through the pooling of the decoded maps.
        units: what losses are multiplied by beside their weights (`cdkd.distill.calibration`), by name; a loss that is
            not among them, by 1.
        label_smoothing: of the cross-entropy.
        batch_mean: mean over the clips of a step of what only scales a loss; data-parallel training has its own.
        all_clips: the clips of a step, for losses that compare clips; data-parallel training has its own.

    Raises:
        ValueError: a distillation loss is wanted but teacher, decoded maps or gate are missing, or shapes differ.
    """
    # In single precision, whatever autocast made of the logits.
    cross_entropy = functional.cross_entropy(
        student.logits[: len(labels)].float(), labels, label_smoothing=label_smoothing
    )
    total = cross_entropy
    parts = {"cross_entropy": cross_entropy}
    terms: dict[str, Tensor | float] = {"cross_entropy": cross_entropy.detach()}
    # Logged even where no loss reads the gate, since the pooling of the decoded maps does; a uniform one, which learns
    # nothing, would draw flat lines.
    if student.gate is not None and student.gate.requires_grad:
        terms.update(gate_statistics(student.gate))
    if settings.used:
        if teacher is None:
            raise ValueError(f"{' and '.join(settings.used)} distillation need the teacher's output")
        gate = student.gate.detach() if student.gate is not None and detach_gate else student.gate
        every = LossBatch(
            student.logits, teacher.logits, None, student.decoded, teacher.maps, gate, batch_mean, all_clips
        )
        labelled = every.labelled(labels)
        for name, loss in settings.used.items():
            # Each loss sees its own network alone.
            own = auxiliary[name] if auxiliary is not None and name in auxiliary else None
            # No other loss is handed a label, so none can read that of an unlabelled clip.
            batch = labelled if "labels" in loss.needs else every
            value = loss.value(replace(batch, auxiliary=own))
            unit = (units or {}).get(name, 1.0)
            total = total + loss.weight * unit * value.total
            # Without its weight, so that curves of runs with different weights can be compared.
            parts[name], terms[name] = value.total, value.total.detach()
            if units is not None and name in units:
                terms[f"unit_{name}"] = unit
            terms.update({part: number.detach() for part, number in value.logged.items()})
    terms["loss"] = total.detach()
    return Loss(total, terms, parts)


def classification_loss(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy of logits (B, K) and labels (B,) alone: what teachers and pre-trained streams learn from."""
    cross_entropy = functional.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)
    return Loss(cross_entropy, {"loss": cross_entropy.detach()})
