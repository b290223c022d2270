"""Logit standardisation: the student follows the pattern of the teacher's logits, not their scale (Sun et al. 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from cdkd.distill.losses.logits import logits_loss
from cdkd.distill.losses.loss import LossBatch, LossSettings, LossValue, Need

if TYPE_CHECKING:
    from torch import Tensor

# Logits that are all alike have no spread to be divided by.
_EPSILON = 1e-7


class StandardisedLogitsSettings(LossSettings):
    """Logit standardisation: the student follows the pattern of the teacher's logits, not their scale."""

    title: ClassVar[str] = "logit standardisation"
    source: ClassVar[str] = "Sun et al. 2024"
    needs: ClassVar[frozenset[Need]] = frozenset({"logits"})
    pull: ClassVar[float] = 0.75

    temperature: Annotated[float, Field(gt=0.0)] = 2.0
    """tau: what standardised logits are divided by."""

    def value(self, batch: LossBatch) -> LossValue:
        """tau^2 KL of the standardised logits."""
        student, teacher = batch.matched_logits()
        return LossValue(logits_loss(standardised(student), standardised(teacher), self.temperature))


def standardised(logits: Tensor) -> Tensor:
    """Z(x) = (x - mean(x)) / sigma(x) over the classes: (B, K) from (B, K); the temperature is divided by afterwards.

    Source: Sun, Ren, Li, Wang and Cao, Logit standardization in knowledge distillation, CVPR 2024, Eq. 13 with its
    tau taken out; sigma has the divisor K.
    """
    deviation = logits - logits.mean(dim=1, keepdim=True)
    # Clamped before the root is taken, so that its gradient stays finite as well.
    sigma = deviation.square().mean(dim=1, keepdim=True).clamp(min=_EPSILON**2).sqrt()
    return deviation / sigma
