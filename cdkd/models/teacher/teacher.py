"""The raw-domain network: built for training, or frozen for a student to learn from."""

from importlib import import_module
from typing import TYPE_CHECKING, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdkd.models.outputs import TeacherOutput
from cdkd.settings import TEACHERS, TeacherSettings


class Teacher(nn.Module):
    """What every teacher offers, whatever its architecture.

    A new one is a subclass in a file of its own and a line in `cdkd.settings.TEACHERS`.
    """

    window: int
    """F: consecutive frames per time step (TDN 5, all others 1)."""
    num_segments: int
    """T."""
    num_features: int
    """C of its maps."""

    if TYPE_CHECKING:

        def __call__(self, frames: Tensor) -> TeacherOutput: ...

    def forward(self, frames: Tensor) -> TeacherOutput:
        """ImageNet-normalised frames (B, T, F, 3, H, W) to logits (B, K) and maps (B, T, C, H', W')."""
        raise NotImplementedError

    @classmethod
    def from_settings(cls, settings: TeacherSettings, num_classes: int, num_segments: int) -> Self:
        """What `build_teacher` calls; reads what its architecture needs of the settings."""
        raise NotImplementedError


def build_teacher(settings: TeacherSettings, *, num_classes: int, num_segments: int) -> Teacher:
    """A trainable teacher for clips of `num_segments` time steps.

    Raises:
        ModelError: the settings contradict the architecture.
    """
    module, _, name = TEACHERS[settings.arch].partition(":")
    network: type[Teacher] = getattr(import_module(module), name)
    return network.from_settings(settings, num_classes, num_segments)


class FrozenTeacher(Teacher):
    """A teacher that cannot learn: always in eval mode, no gradients, no parameters that ask for them.

    With `map_stride`, maps of another stride are brought to ceil(H / map_stride) x ceil(W / map_stride) positions, the
    student's: averaged down, or interpolated up.
    """

    def __init__(self, teacher: Teacher, map_stride: int | None = None) -> None:
        super().__init__()
        self.teacher = teacher
        self.requires_grad_(False).eval()
        self.map_stride = map_stride
        self.window = teacher.window
        self.num_segments = teacher.num_segments
        self.num_features = teacher.num_features

    def train(self, mode: bool = True) -> Self:
        """Stays in eval mode whatever is asked."""
        return super().train(False)

    # no_grad, not inference_mode: the losses save the teacher's maps for the student's backward pass.
    @torch.no_grad()
    def forward(self, frames: Tensor) -> TeacherOutput:
        """Normalised frames (B, T, F, 3, H, W) to logits (B, K) and maps (B, T, C, H', W'), both without gradient."""
        output = self.teacher(frames)
        if self.map_stride is None:
            return output
        height, width = (-(-side // self.map_stride) for side in frames.shape[-2:])
        return TeacherOutput(output.logits, resize_maps(output.maps, height, width))


def resize_maps(maps: Tensor, height: int, width: int) -> Tensor:
    """(B, T, C, H', W') to (B, T, C, height, width): mean over areas where it shrinks, bilinear where it grows."""
    if maps.shape[-2:] == (height, width):
        return maps
    flat = maps.flatten(0, 1)
    if height <= maps.shape[-2] and width <= maps.shape[-1]:
        resized = F.adaptive_avg_pool2d(flat, (height, width))
    else:
        resized = F.interpolate(flat, size=(height, width), mode="bilinear", align_corners=False)
    return torch.unflatten(resized, 0, maps.shape[:2])
