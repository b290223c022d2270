"""Relational distillation: the clips of a step lie to each other as they do for the teacher (Park et al. 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cdkd.config import Weight
from cdkd.distill.losses.loss import LossBatch, LossSettings, LossValue, Need, at_least_single

if TYPE_CHECKING:
    from torch import Tensor

# Two clips with equal features have a distance, but no direction in which it would grow.
_SMALLEST_SQUARE = 1e-12


class RelationalSettings(LossSettings):
    """Relational distillation: the clips of a step lie to each other as they do for the teacher."""

    title: ClassVar[str] = "relational KD"
    source: ClassVar[str] = "Park et al. 2019"
    needs: ClassVar[frozenset[Need]] = frozenset({"decoder"})
    pull: ClassVar[float] = 0.65

    distance: Weight = 1.0
    """Share of the distances between two clips (lambda_RKD-D)."""
    angle: Weight = 2.0
    """Share of the angles between three clips (lambda_RKD-A)."""

    def value(self, batch: LossBatch) -> LossValue:
        """Both parts, over the features of all clips of a step."""
        student, teacher, _ = batch.matched_maps()
        # (B, C) over time and space. Pairs of clips from different processes count too, hence all clips of the step.
        ours, theirs = (batch.all_clips(at_least_single(maps).mean(dim=(1, 3, 4))) for maps in (student, teacher))
        distance, angle = distance_loss(ours, theirs), angle_loss(ours, theirs)
        parts = {"relational_distance": distance, "relational_angle": angle}
        return LossValue(self.distance * distance + self.angle * angle, parts)


def distance_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over pairs i != j of l(psi(t_i, t_j), psi(s_i, s_j)), psi(a, b) = ||a - b|| / mean over pairs of ||a - b||.

    Source: Park, Kim, Lu and Cho, Relational knowledge distillation, CVPR 2019, Eq. 5 to 8; l is the Huber loss.

    Args:
        student: features (B, D) of B clips.
        teacher: features (B, D) of the same clips.

    Returns:
        (); 0 for a single clip.
    """
    from torch.nn import functional

    return functional.smooth_l1_loss(_distances(student), _distances(teacher), reduction="sum") / _count(student, 2)


def angle_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over triplets of different clips of l(cos of the angle t_i t_j t_k, cos of the angle s_i s_j s_k).

    Source: as `distance_loss`, Eq. 9 and 10.

    Args:
        student: features (B, D) of B clips.
        teacher: features (B, D) of the same clips.

    Returns:
        (); 0 for fewer than three clips.
    """
    from torch.nn import functional

    return functional.smooth_l1_loss(_cosines(student), _cosines(teacher), reduction="sum") / _count(student, 3)


def _count(features: Tensor, of: int) -> int:
    """Ordered choices of `of` different rows of (B, D); 1 where there is none, since nothing is to be divided then."""
    from math import perm

    return max(perm(len(features), of), 1)


def _distances(features: Tensor) -> Tensor:
    """||f_i - f_j|| relative to their mean over i != j: (B, B) from (B, D), 0 where i = j."""
    # By differences and not as |a|^2 + |b|^2 - 2ab, which cancels most digits of clips that lie close together.
    square = (features[:, None] - features[None]).square().sum(dim=2)
    # Clamped before the root, whose gradient at 0 is infinite; the product sets the diagonal back to 0.
    distance = square.clamp(min=_SMALLEST_SQUARE).sqrt() * (square > 0)
    return distance / (distance.sum() / _count(features, 2)).clamp(min=_SMALLEST_SQUARE)


def _cosines(features: Tensor) -> Tensor:
    """Cosine of the angle at f_j between f_i and f_k: (B, B, B) as [j, i, k] from (B, D), 0 unless all differ."""
    import torch
    from torch.nn import functional

    # e[j, i] points from f_j to f_i.
    e = functional.normalize(features[None] - features[:, None], dim=2)
    different = ~torch.eye(len(features), dtype=torch.bool, device=features.device)
    # [j, i, k]. Rows where i or k is j are 0 as e[j, j] is; i = k, whose cosine is always 1, is left out here.
    return (e @ e.transpose(1, 2)) * different
