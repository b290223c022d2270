"""Multiply-adds and parameters of a network, counted on the meta device: nothing is computed or allocated."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cdkd.modality import FRAME, IFRAME, MOTION, RESIDUAL
from cdkd.models.student.student import build_student
from cdkd.models.teacher.teacher import build_teacher
from cdkd.settings import StudentSettings, TeacherSettings


@dataclass(frozen=True)
class Complexity:
    """The cost of one view (one crop of one clip) in inference."""

    multiply_adds_per_view: int
    """Of convolutions, linear layers and attention; element-wise work is not counted, as in the papers."""
    parameters: int

    @property
    def gmacs_per_view(self) -> float:
        """In units of 10^9 multiply-adds, which TSM, TDN and the paper call FLOPs."""
        return self.multiply_adds_per_view / 1e9


def count(build: Callable[[], nn.Module], shapes: tuple[tuple[int, ...], ...]) -> Complexity:
    """The cost of one forward pass of `build()` over inputs of the given shapes, batch axis included."""
    with torch.device("meta"):
        network = build().eval()
        inputs = [torch.empty(shape) for shape in shapes]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    # The counter counts an addition and a multiplication per multiply-add.
    return Complexity(counter.get_total_flops() // 2, sum(p.numel() for p in network.parameters()))


def student_shapes(
    batch: int, num_gops: int, frames_per_gop: int, window: int, size: int
) -> tuple[tuple[int, ...], ...]:
    """Shapes of I-frames, motion and residual of `batch` clips with pictures of `size` pixels."""
    num_frames = num_gops * frames_per_gop
    return (
        (batch, num_gops, IFRAME.num_channels, size, size),
        (batch, num_frames, window, MOTION.num_channels, size, size),
        (batch, num_frames, window, RESIDUAL.num_channels, size, size),
    )


def teacher_shapes(batch: int, num_segments: int, window: int, size: int) -> tuple[tuple[int, ...], ...]:
    """Shape of the raw frames of `batch` clips with pictures of `size` pixels."""
    return ((batch, num_segments, window, FRAME.num_channels, size, size),)


def student_complexity(
    settings: StudentSettings,
    *,
    num_classes: int,
    num_gops: int,
    frames_per_gop: int,
    teacher_channels: int,
    size: int,
) -> Complexity:
    """The cost of a student for one clip.

    Raises:
        ModelError: settings that contradict each other.
    """

    def build() -> nn.Module:
        return build_student(
            settings,
            num_classes=num_classes,
            num_gops=num_gops,
            frames_per_gop=frames_per_gop,
            teacher_channels=teacher_channels,
        )

    window = 5 if settings.arch == "tdn" and settings.model == "three_stream" else 1
    return count(build, student_shapes(1, num_gops, frames_per_gop, window, size))


def teacher_complexity(settings: TeacherSettings, *, num_classes: int, num_segments: int, size: int) -> Complexity:
    """The cost of a teacher for one clip of `num_segments` time steps."""
    window = 5 if settings.arch == "tdn" else 1

    def build() -> nn.Module:
        return build_teacher(settings, num_classes=num_classes, num_segments=num_segments)

    return count(build, teacher_shapes(1, num_segments, window, size))
