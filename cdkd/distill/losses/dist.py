"""DIST: class probabilities correlate with the teacher's, clip by clip and class by class (Huang et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from cdkd.config import Weight
from cdkd.distill.losses.loss import LossBatch, LossSettings, LossValue, Need

if TYPE_CHECKING:
    from torch import Tensor


class DistSettings(LossSettings):
    """DIST: class probabilities correlate with the teacher's, clip by clip and class by class."""

    title: ClassVar[str] = "DIST"
    source: ClassVar[str] = "Huang et al. 2022"
    needs: ClassVar[frozenset[Need]] = frozenset({"logits"})
    pull: ClassVar[float] = 1.8

    inter_class: Weight = 1.0
    """beta: share of each clip's classes."""
    intra_class: Weight = 1.0
    """gamma: share of each class's clips."""
    temperature: Annotated[float, Field(gt=0.0)] = 1.0
    """tau: what logits are divided by."""

    def value(self, batch: LossBatch) -> LossValue:
        """beta L_inter + gamma L_intra, over all clips of a step."""
        student, teacher = (batch.all_clips(logits) for logits in batch.matched_logits())
        inter, intra = dist_loss(student, teacher, self.temperature)
        total = self.inter_class * inter + self.intra_class * intra
        return LossValue(total, {"dist_inter_class": inter, "dist_intra_class": intra})


def dist_loss(student: Tensor, teacher: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """L_inter = tau^2 / B sum over clips of d(Y_S[i], Y_T[i]) and L_intra = tau^2 / K sum over classes of the columns'.

    d(u, v) = 1 - Pearson's correlation of u and v; Y = softmax(z / tau) (B, K); () each.
    Source: Huang, You, Wang, Qian and Xu, Knowledge distillation from a stronger teacher, NeurIPS 2022, Eq. 6 to 10;
    tau^2 as in the authors' code.

    Args:
        student: logits (B, K).
        teacher: logits (B, K).
        temperature: tau.
    """
    ours, theirs = (logits.div(temperature).softmax(dim=1) for logits in (student, teacher))
    inter = _pearson_distance(ours, theirs).mean()
    # Rows of the transposed (K, B) are classes: how one class's probability varies over the clips.
    intra = _pearson_distance(ours.T, theirs.T).mean()
    return temperature**2 * inter, temperature**2 * intra


def _pearson_distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """1 - correlation of row with row: (N,) from (N, M)."""
    from torch.nn import functional

    ours, theirs = (values - values.mean(dim=1, keepdim=True) for values in (ours, theirs))
    # Pearson's correlation is the cosine of what remains when each row's mean is taken away.
    return 1 - functional.cosine_similarity(ours, theirs, dim=1)
