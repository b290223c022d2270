"""Multiply-adds and parameters of a network, counted on the meta device: nothing is computed or allocated."""

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


def count(network: nn.Module, shapes: tuple[tuple[int, ...], ...]) -> Complexity:
    """The cost of one forward pass over inputs of the given shapes, batch axis included.

    Args:
        network: built on the meta device; left in eval mode.
        shapes: one per input.
    """
    inputs = [torch.empty(shape, device="meta") for shape in shapes]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(*inputs)
    # The counter counts an addition and a multiplication per multiply-add.
    return Complexity(counter.get_total_flops() // 2, sum(p.numel() for p in network.parameters()))


def student_shapes(
    batch: int, num_gops: int, frames_per_gop: int, window: int, size: int
) -> tuple[tuple[int, ...], ...]:
    """Shapes of I-frames (B, G, 3, H, W), motion (B, T, F, 2, H, W) and residual (B, T, F, 3, H, W).

    Args:
        batch: B.
        num_gops: G.
        frames_per_gop: P; T = G * P.
        window: F.
        size: H and W, in pixels.
    """
    num_frames = num_gops * frames_per_gop
    return (
        (batch, num_gops, IFRAME.num_channels, size, size),
        (batch, num_frames, window, MOTION.num_channels, size, size),
        (batch, num_frames, window, RESIDUAL.num_channels, size, size),
    )


def teacher_shapes(batch: int, num_segments: int, window: int, size: int) -> tuple[tuple[int, ...], ...]:
    """Shape of the raw frames (B, T, F, 3, H, W); arguments as those of `student_shapes`."""
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

    with torch.device("meta"):
        student = build_student(
            settings,
            num_classes=num_classes,
            num_gops=num_gops,
            frames_per_gop=frames_per_gop,
            teacher_channels=teacher_channels,
        )
    return count(student, student_shapes(1, num_gops, frames_per_gop, student.window, size))


def teacher_complexity(settings: TeacherSettings, *, num_classes: int, num_segments: int, size: int) -> Complexity:
    """The cost of a teacher for one clip of `num_segments` time steps."""
    with torch.device("meta"):
        teacher = build_teacher(settings, num_classes=num_classes, num_segments=num_segments)
    return count(teacher, teacher_shapes(1, num_segments, teacher.window, size))
