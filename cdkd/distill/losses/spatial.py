"""Spatial knowledge: the decoded features follow the teacher's, frame by frame (Eq. 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from cdkd.config import Weight
from cdkd.distill.losses.loss import LossBatch, LossSettings, LossValue, Need, at_least_single

if TYPE_CHECKING:
    from torch import Tensor

SpatialForm = Literal["normalised", "mean", "literal"]


class SpatialSettings(LossSettings):
    """Spatial knowledge, Eq. 4: decoded maps follow the teacher's, each frame weighted by the gate."""

    title: ClassVar[str] = "spatial KD"
    symbol: ClassVar[str] = "λ1"
    source: ClassVar[str] = "Liu et al. 2023"
    needs: ClassVar[frozenset[Need]] = frozenset({"decoder"})
    pull: ClassVar[float] = 10.0

    enabled: bool = True
    """The loss takes part, where its weight is above 0 too."""
    weight: Weight = 0.1
    """lambda1."""
    form: SpatialForm = "normalised"
    """normalised: L2-normalised over channels at each position; mean: over C, H, W; literal: the printed sum."""

    @property
    def is_literal(self) -> bool:
        """See `LossSettings`."""
        return self.form == "literal"

    def value(self, batch: LossBatch) -> LossValue:
        """Eq. 4 of the decoded maps and the gate."""
        student, teacher, gate = batch.matched_maps()
        return LossValue(spatial_loss(student, teacher, gate, self.form))


# With it the gradient on slim streams is about 35 times that of the cross-entropy at initialisation, whatever the size
# of the feature map, and at ResNet-50 streams 7 times (measured on the embedded data set); calibration makes it 10
# times at every width. The literal sum is 176 times, the mean 0.3 times the cross-entropy's there.
NORMALISED_SCALE = 27.0


def spatial_loss(student: Tensor, teacher: Tensor, gate: Tensor, form: SpatialForm = "normalised") -> Tensor:
    """Eq. 4: sum over t of alpha_t * distance(h_t, h_hat_t), averaged over the batch; ().

    Args:
        student: h_hat (B, T, C, H, W).
        teacher: h (B, T, C, H, W).
        gate: alpha (B, T); not detached here.
        form: the distance. `literal`: squared L2 norm of the difference of the raw maps, as printed. `mean`: its mean
            over C, H and W. `normalised`: both maps L2-normalised over C at each position, squared difference summed
            over C, mean over H and W, times NORMALISED_SCALE.

    Raises:
        ValueError: the shapes differ.
    """
    if student.shape != teacher.shape or student.shape[:2] != gate.shape:
        raise ValueError(
            f"student {tuple(student.shape)}, teacher {tuple(teacher.shape)} and gate {tuple(gate.shape)} do not match"
        )
    # (B, T): one distance per frame, before alpha weights the frames.
    distance = _DISTANCES[form](at_least_single(student), at_least_single(teacher))
    return (at_least_single(gate) * distance).sum(dim=1).mean()


def _normalised(student: Tensor, teacher: Tensor) -> Tensor:
    """NORMALISED_SCALE ||h / ||h|| - h_hat / ||h_hat|| ||^2, mean over positions: (B, T) from (B, T, C, H, W)."""
    from torch.nn import functional

    difference = functional.normalize(student, dim=2) - functional.normalize(teacher, dim=2)
    return NORMALISED_SCALE * difference.square().sum(dim=2).mean(dim=(2, 3))


def _mean(student: Tensor, teacher: Tensor) -> Tensor:
    """||h - h_hat||^2 / (C H W): (B, T) from (B, T, C, H, W)."""
    return (student - teacher).square().mean(dim=(2, 3, 4))


def _literal(student: Tensor, teacher: Tensor) -> Tensor:
    """||h - h_hat||^2, as printed: (B, T) from (B, T, C, H, W)."""
    return (student - teacher).square().sum(dim=(2, 3, 4))


_DISTANCES = {"normalised": _normalised, "mean": _mean, "literal": _literal}


def gate_statistics(gate: Tensor) -> dict[str, Tensor]:
    """What is logged of a batch's gate (B, T): mean alpha by time step, mean and deviation of log alpha; () each."""
    alpha = gate.detach().float()
    # In logarithms a gate that has shut most frames out shows up; its mean is 1 for the softmax whatever it does.
    log = alpha.clamp(min=1e-12).log()
    by_stamp = {f"gate/alpha_{t + 1}": mean for t, mean in enumerate(alpha.mean(dim=0))}
    return {"gate/log_mean": log.mean(), "gate/log_std": log.std(correction=0), **by_stamp}
