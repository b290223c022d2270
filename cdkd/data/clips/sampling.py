"""Which GOPs and which positions of them make a clip: index arithmetic only."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from cdkd.segments import segment_middles

Windows = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ClipLayout:
    """The shape of a clip: G GOPs of P P-frames each, seen through windows of consecutive frames.

    `student_window` frames of motion and residual and `teacher_window` raw frames belong to each of the T = G * P
    time steps (1: the frame itself; 5: with its two neighbours before and after; 0: not read at all).
    """

    num_gops: int
    frames_per_gop: int
    student_window: int = 1
    teacher_window: int = 1

    @property
    def num_time_steps(self) -> int:
        """T, the time steps of a clip."""
        return self.num_gops * self.frames_per_gop


def spread_positions(gop_length: int, frames_per_gop: int) -> tuple[int, ...]:
    """P-frame positions at the middles of P equal parts of a GOP (0 is the I-frame): 12, 6 -> 1, 3, 5, 7, 9, 11."""
    return tuple(1 + middle for middle in segment_middles(gop_length - 1, frames_per_gop))


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
    """What a layout reads of one GOP: positions of motion and residual, of raw frames, and windows of indices into
    them, one row per time step."""

    motion: tuple[int, ...]
    motion_windows: Windows
    frames: tuple[int, ...]
    frame_windows: Windows


@lru_cache(maxsize=1024)
def gop_positions(gop_length: int, layout: ClipLayout) -> GopPositions:
    """What `layout` reads of a GOP of `gop_length` frames, the I-frame included."""
    steps = spread_positions(gop_length, layout.frames_per_gop)
    # From 1: the I-frame has neither motion nor residual. Raw frames begin with it, at 0.
    motion, motion_windows = index_windows(windows_around(steps, layout.student_window, 1, gop_length - 1))
    frames, frame_windows = index_windows(windows_around(steps, layout.teacher_window, 0, gop_length - 1))
    return GopPositions(motion, motion_windows, frames, frame_windows)


def usable_gops(gop_lengths: Sequence[int], frames_per_gop: int) -> tuple[int, ...]:
    """GOPs with at least `frames_per_gop` P-frames."""
    return tuple(g for g, length in enumerate(gop_lengths) if length > frames_per_gop)


def training_gops(usable: Sequence[int], num_gops: int, generator: np.random.Generator) -> tuple[int, ...]:
    """One GOP drawn from each of G equal parts of the video; short videos repeat GOPs."""
    n = len(usable)
    # Where there are fewer GOPs than parts, some parts are empty; these take the GOP at which they begin.
    bounds = [g * n // num_gops for g in range(num_gops + 1)]
    drawn = [low if high <= low else int(generator.integers(low, high)) for low, high in pairwise(bounds)]
    return tuple(usable[min(i, n - 1)] for i in drawn)


def view_gops(usable: Sequence[int], num_gops: int, view: int, num_views: int) -> tuple[int, ...]:
    """The GOPs of test clip `view`: of each of G equal parts the one at (view + 1/2) / num_views of it."""
    # Every part falls into as many segments as there are views, and a view takes the same one of each.
    return tuple(usable[middle] for middle in segment_middles(len(usable), num_gops * num_views)[view::num_views])
