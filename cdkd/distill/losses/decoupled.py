"""Decoupled distillation: the target class and the others are taught apart (Zhao et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from cdkd.config import Weight
from cdkd.distill.losses.loss import LossBatch, LossSettings, LossValue, Need

if TYPE_CHECKING:
    from torch import Tensor


class DecoupledSettings(LossSettings):
    """Decoupled distillation: how sure the teacher is of the target class, and how it ranks the others, apart."""

    title: ClassVar[str] = "decoupled KD"
    source: ClassVar[str] = "Zhao et al. 2022"
    needs: ClassVar[frozenset[Need]] = frozenset({"logits", "labels"})
    pull: ClassVar[float] = 12.0

    target: Weight = 1.0
    """alpha: share of the target class against all others (TCKD)."""
    others: Weight = 8.0
    """beta: share of the other classes among themselves (NCKD)."""
    temperature: Annotated[float, Field(gt=0.0)] = 4.0
    """What logits are divided by."""

    def value(self, batch: LossBatch) -> LossValue:
        """alpha TCKD + beta NCKD."""
        target, others = decoupled_loss(*batch.matched_logits(), batch.own_labels(), self.temperature)
        parts = {"decoupled_target": target, "decoupled_others": others}
        return LossValue(self.target * target + self.others * others, parts)


def decoupled_loss(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """TCKD = tau^2 KL(b_T || b_S) and NCKD = tau^2 KL(q_T || q_S), averaged over the batch; () each.

    b = (p_label, 1 - p_label), p = softmax(z / tau); q: softmax(z / tau) over all classes but the label.
    Source: Zhao, Cui, Song, Qiu and Liang, Decoupled knowledge distillation, CVPR 2022, Eq. 7 without its warm-up.

    Args:
        student: logits (B, K).
        teacher: logits (B, K).
        labels: (B,) int64.
        temperature: tau.
    """
    # log b and log q of each side, which zip pairs: b with b, then q with q.
    ours, theirs = (_parts(logits / temperature, labels) for logits in (student, teacher))
    target, others = (
        temperature**2 * (theirs_part.exp() * (theirs_part - ours_part)).sum(dim=1).mean()
        for ours_part, theirs_part in zip(ours, theirs, strict=True)
    )
    return target, others


def _parts(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """log b (B, 2) and log q (B, K - 1) of logits (B, K)."""
    import torch
    from torch.nn import functional

    # Each row has one label, so taking it out leaves K - 1 values per row, in order.
    is_label = functional.one_hot(labels, logits.shape[1]).bool()
    others = logits[~is_label].view(len(logits), -1)
    # Two logits whose softmax is b: the sum of the others' exponentials is 1 - p_label before normalisation.
    target = torch.stack([logits[is_label], others.logsumexp(dim=1)], dim=1)
    return functional.log_softmax(target, dim=1), functional.log_softmax(others, dim=1)
