"""What is read of a group of pictures around some of its positions: windows of consecutive frames, each frame once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

Windows = tuple[tuple[int, ...], ...]


def windows_around(positions: Sequence[int], window: int, first: int, last: int) -> Windows:
    """For each position the `window` (odd, or 0) consecutive positions centred on it, clamped to first..last."""
    # 5: from -2 to 2; 1: 0 alone; 0: none, so that every window is empty.
    offsets = range(-(window // 2), window - window // 2)
    return tuple(tuple(min(max(p + d, first), last) for d in offsets) for p in positions)


def index_windows(windows: Windows) -> tuple[tuple[int, ...], Windows]:
    """The sorted distinct positions of some windows, and the windows as indices into them."""
    # Neighbouring windows overlap, and each frame is decoded and stored once.
    positions = tuple(sorted({p for window in windows for p in window}))
    place = {p: i for i, p in enumerate(positions)}
    return positions, tuple(tuple(place[p] for p in window) for window in windows)


@dataclass(frozen=True)
class GopPositions:
    """What is read of one GOP: positions of motion and residual, of raw frames, and windows of indices into them, one
    row per time step."""

    motion: tuple[int, ...]
    motion_windows: Windows
    frames: tuple[int, ...]
    frame_windows: Windows


@lru_cache(maxsize=65536)
def gop_positions(gop_length: int, steps: tuple[int, ...], student_window: int, teacher_window: int) -> GopPositions:
    """What time steps at the P-frames `steps` read of a GOP of `gop_length` frames, the I-frame included.

    Args:
        gop_length: frames.
        steps: positions of P-frames, in any order.
        student_window: frames of motion and residual per step; 0: none are read.
        teacher_window: raw frames per step; 0: none are read.
    """
    # From 1: the I-frame has neither motion nor residual. Raw frames begin with it, at 0.
    motion, motion_windows = index_windows(windows_around(steps, student_window, 1, gop_length - 1))
    frames, frame_windows = index_windows(windows_around(steps, teacher_window, 0, gop_length - 1))
    return GopPositions(motion, motion_windows, frames, frame_windows)
