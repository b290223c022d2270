"""Attention transfer: where the student's decoded maps are strong, the teacher's are (Zagoruyko and Komodakis 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cdkd.config import Weight
from cdkd.distill.losses.loss import LossBatch, LossSettings, LossValue, Need, at_least_single

if TYPE_CHECKING:
    from torch import Tensor


class AttentionTransferSettings(LossSettings):
    """Attention transfer: where the student's decoded maps are strong, the teacher's are."""

    title: ClassVar[str] = "attention transfer"
    source: ClassVar[str] = "Zagoruyko, Komodakis 2017"
    needs: ClassVar[frozenset[Need]] = frozenset({"decoder"})
    pull: ClassVar[float] = 0.17

    weight: Weight = 10.0
    """beta."""

    def value(self, batch: LossBatch) -> LossValue:
        """The distance of the attention maps of every frame."""
        student, teacher, _ = batch.matched_maps()
        return LossValue(attention_transfer_loss(student, teacher))


def attention_transfer_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """1/2 || Q_S / ||Q_S|| - Q_T / ||Q_T|| ||^2, Q = vec(sum over C of |A|^2), averaged over frames and batch; ().

    Source: Zagoruyko and Komodakis, Paying more attention to attention, ICLR 2017, Eq. 2 with p = 2. The norm is
    squared as in the authors' code, since its root has no gradient where the two agree.

    Args:
        student: h_hat (B, T, C, H, W).
        teacher: h (B, T, C, H, W).
    """
    # (B, T, L) each, of length 1 along L: only where a map is strong counts, not how strong.
    difference = _attention(at_least_single(student)) - _attention(at_least_single(teacher))
    return difference.square().sum(dim=2).mean() / 2


def _attention(maps: Tensor) -> Tensor:
    """Unit vectors of the energy at each position: (B, T, H * W) from (B, T, C, H, W)."""
    from torch.nn import functional

    return functional.normalize(maps.square().sum(dim=2).flatten(2), dim=2)
