"""The raw-domain network: built for training, or frozen for a student to learn from."""

from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdkd.models.backbones.tdn import TDN
from cdkd.models.backbones.tsm import TSM
from cdkd.models.backbones.video_models import VideoTeacher
from cdkd.models.outputs import TeacherOutput
from cdkd.settings import TeacherSettings


class Teacher(Protocol):
    """What every teacher offers, whatever its architecture."""

    window: int
    """W: consecutive frames per time step (TDN 5, all others 1)."""
    num_segments: int
    """T."""
    num_features: int
    """C of its maps."""

    def __call__(self, frames: Tensor) -> TeacherOutput:
        """Normalised frames (B, T, W, 3, H, W) to logits and maps."""
        ...


def build_teacher(settings: TeacherSettings, *, num_classes: int, num_segments: int) -> nn.Module:
    """A trainable teacher for clips of `num_segments` time steps; it follows the `Teacher` protocol.

    Raises:
        ModelError: the settings name no known network.
    """
    if settings.arch == "tsm":
        return TSM(settings.backbone, num_classes, num_segments, settings.shift_div, settings.dropout)
    if settings.arch == "tdn":
        return TDN(
            settings.backbone,
            num_classes,
            num_segments,
            settings.dropout,
            trained_segments=settings.num_segments or None,
        )
    return VideoTeacher(settings.arch, num_classes, num_segments, settings.dropout)


class FrozenTeacher(nn.Module):
    """A teacher that cannot learn: always in eval mode, no gradients, no parameters that ask for them.

    With `map_stride`, maps of another stride are brought to ceil(H / map_stride) x ceil(W / map_stride) positions, the
    student's: averaged down, or interpolated up.
    """

    def __init__(self, teacher: nn.Module, map_stride: int | None = None) -> None:
        super().__init__()
        self.teacher = teacher.requires_grad_(False).eval()
        self.map_stride = map_stride
        self.window = cast(Teacher, teacher).window
        self.num_segments = cast(Teacher, teacher).num_segments
        self.num_features = cast(Teacher, teacher).num_features

    def train(self, mode: bool = True) -> "FrozenTeacher":
        """Stays in eval mode whatever is asked."""
        return super().train(False)

    # no_grad, not inference_mode: the losses save the teacher's maps for the student's backward pass.
    @torch.no_grad()
    def forward(self, frames: Tensor) -> TeacherOutput:
        """Normalised frames (B, T, W, 3, H, W) to logits (B, K) and maps (B, T, C, H, W), both without gradient."""
        output = cast(TeacherOutput, self.teacher(frames))
        if self.map_stride is None:
            return output
        height, width = (-(-side // self.map_stride) for side in frames.shape[-2:])
        return TeacherOutput(output.logits, resize_maps(output.maps, height, width))


def resize_maps(maps: Tensor, height: int, width: int) -> Tensor:
    """(B, T, C, h, w) to (B, T, C, height, width): mean over areas where it shrinks, bilinear where it grows."""
    if maps.shape[-2:] == (height, width):
        return maps
    flat = maps.flatten(0, 1)
    if height <= maps.shape[-2] and width <= maps.shape[-1]:
        resized = F.adaptive_avg_pool2d(flat, (height, width))
    else:
        resized = F.interpolate(flat, size=(height, width), mode="bilinear", align_corners=False)
    return torch.unflatten(resized, 0, maps.shape[:2])
