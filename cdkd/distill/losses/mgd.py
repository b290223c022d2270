"""Masked generative distillation: from the unmasked part of its maps the student must yield the teacher's (MGD)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from cdkd.distill.losses.loss import LossBatch, LossSettings, LossValue, Need, at_least_single
from cdkd.seeding import derive_seed

if TYPE_CHECKING:
    from torch import Tensor, nn


class MgdSettings(LossSettings):
    """Masked generative distillation: from the unmasked part of its maps the student must yield the teacher's."""

    title: ClassVar[str] = "MGD"
    source: ClassVar[str] = "Yang et al. 2022"
    needs: ClassVar[frozenset[Need]] = frozenset({"decoder"})
    pull: ClassVar[float] = 0.0035

    masked_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    """lambda: probability with which a position of the student's map is masked."""

    def value(self, batch: LossBatch) -> LossValue:
        """The mean squared error of the maps that the generator makes of the masked ones."""
        if batch.auxiliary is None:
            raise ValueError("masked generative distillation needs its generator")
        student, teacher, _ = batch.matched_maps()
        mask = draw_mask(student, self.masked_share)
        return LossValue(mgd_loss(student, teacher, mask, batch.auxiliary))

    def build_auxiliary(self, num_channels: int) -> nn.Module:
        """G of the paper: a 3 x 3 convolution, ReLU, a 3 x 3 convolution."""
        from torch import nn

        return nn.Sequential(
            nn.Conv2d(num_channels, num_channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(num_channels, num_channels, 3, padding=1),
        )


def mgd_loss(student: Tensor, teacher: Tensor, mask: Tensor, generator: nn.Module) -> Tensor:
    """||h - G(h_hat * M)||^2 / (C H W), averaged over frames and batch; ().

    Source: Yang, Li, Shao, Shi, Yuan and Yuan, Masked generative distillation, ECCV 2022, Eq. 5, which sums where this
    takes the mean, so that a weight suits maps of every size. The paper's alignment of the channels is the
    pseudo-decoder's own last layer.

    Args:
        student: h_hat (B, T, C, H, W).
        teacher: h (B, T, C, H, W).
        mask: M (B, T, 1, H, W), 0 where a position is masked and 1 elsewhere.
        generator: G, (N, C, H, W) to (N, C, H, W).
    """
    # (B * T, C, H, W): to the generator each frame is a picture of its own. (B, T, C, H, W) again.
    generated = generator((student * mask).flatten(0, 1)).unflatten(0, student.shape[:2])
    return (at_least_single(teacher) - at_least_single(generated)).square().mean()


def draw_mask(maps: Tensor, masked_share: float) -> Tensor:
    """0 at the masked positions of maps (B, T, C, H, W), 1 elsewhere: (B, T, 1, H, W).

    Drawn from a stream of its own that follows from the step's seed, so that dropout stays as it is without the mask.
    """
    import torch

    # On the CPU, so that a step has one mask on every device.
    stream = torch.Generator().manual_seed(derive_seed(torch.initial_seed(), "mgd"))
    batch, frames, _, height, width = maps.shape
    is_kept = torch.rand((batch, frames, 1, height, width), generator=stream) >= masked_share
    return is_kept.to(maps.device, maps.dtype)
