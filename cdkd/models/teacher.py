"""The raw-domain network: built for training, or frozen for a student to learn from."""

from typing import Protocol, cast

import torch
from torch import Tensor, nn

from cdkd.models.outputs import TeacherOutput
from cdkd.models.tdn import TDN
from cdkd.models.tsm import TSM
from cdkd.settings import TeacherSettings


class Teacher(Protocol):
    """What every teacher offers, whatever its architecture."""

    window: int
    """W: consecutive frames per time stamp (TSM 1, TDN 5)."""
    num_features: int
    """C of its maps."""

    def __call__(self, frames: Tensor) -> TeacherOutput:
        """Normalised frames (B, T, W, 3, H, W) to logits and maps."""
        ...


def build_teacher(settings: TeacherSettings, *, num_classes: int, num_segments: int) -> nn.Module:
    """A trainable teacher for clips of `num_segments` time stamps; it follows the `Teacher` protocol.

    Raises:
        ModelError: the settings name no known network.
    """
    if settings.arch == "tsm":
        return TSM(settings.backbone, num_classes, num_segments, settings.shift_div, settings.dropout)
    return TDN(
        settings.backbone,
        num_classes,
        num_segments,
        settings.dropout,
        trained_segments=settings.num_segments or None,
    )


class FrozenTeacher(nn.Module):
    """A teacher that cannot learn: always in eval mode, no gradients, no parameters that ask for them."""

    def __init__(self, teacher: nn.Module) -> None:
        super().__init__()
        self.teacher = teacher.requires_grad_(False).eval()
        self.window = cast(Teacher, teacher).window
        self.num_features = cast(Teacher, teacher).num_features

    def train(self, mode: bool = True) -> "FrozenTeacher":
        """Stays in eval mode whatever is asked."""
        return super().train(False)

    # no_grad, not inference_mode: the losses save the teacher's maps for the student's backward pass.
    @torch.no_grad()
    def forward(self, frames: Tensor) -> TeacherOutput:
        """Normalised frames (B, T, W, 3, H, W) to logits (B, K) and maps (B, T, C, H, W), both without gradient."""
        return cast(TeacherOutput, self.teacher(frames))
