"""Logits distillation: the student's softened class probabilities follow the teacher's (Hinton et al. 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from cdkd.distill.losses.loss import LossBatch, LossSettings, LossValue, Need

if TYPE_CHECKING:
    from torch import Tensor


class LogitsSettings(LossSettings):
    """Logits distillation: the student's softened class probabilities follow the teacher's."""

    title: ClassVar[str] = "logits KD"
    symbol: ClassVar[str] = "λ3"
    source: ClassVar[str] = "Hinton et al. 2015"
    needs: ClassVar[frozenset[Need]] = frozenset({"logits"})
    pull: ClassVar[float] = 2.2

    temperature: Annotated[float, Field(gt=0.0)] = 4.0
    """tau: what logits are divided by."""

    def value(self, batch: LossBatch) -> LossValue:
        """tau^2 KL of the softened logits."""
        return LossValue(logits_loss(*batch.matched_logits(), self.temperature))


def logits_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """tau^2 KL(softmax(teacher / tau) || softmax(student / tau)) of logits (B, K), averaged over the batch; ().

    Source: Hinton, Vinyals and Dean, Distilling the knowledge in a neural network, 2015.
    """
    from torch.nn import functional

    # Logarithms on both sides: a probability that rounds to 0 would make the divergence infinite.
    ours = functional.log_softmax(student / temperature, dim=1)
    theirs = functional.log_softmax(teacher / temperature, dim=1)
    # "batchmean" divides by B; "mean" would divide by B * K. tau^2 makes up for gradients that shrink as 1 / tau^2.
    return temperature**2 * functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)
