"""Which P-frames of a video make a clip: index arithmetic only.

A clip has G groups of P time steps; the steps of a group lie in one GOP, and each group brings that GOP's I-frame. The
P-frames of all GOPs that are long enough are numbered through, n of them:

    GOP        0               1           2 (too short for P = 2)   3
    frames     I  P  P  P  P   I  P  P  P  I  P                      I  P  P
    number        0  1  2  3      4  5  6                               7  8         n = 9

    segments   an anchor in each of G equal parts of 0..n-1, as TSM chooses frames: anywhere in the part in training,
               at its middle in a test. P = 1: the anchor is the time step, so a short video gives several steps of one
               GOP. P > 1: P steps spread over the anchor's GOP, which in training wander where the GOP has room.
    dense      G anchors at a fixed stride in a window of 64 P-frames, as TSM and I3D choose frames; then the same.
    gops       a GOP of each of G equal parts of the GOPs, at always the same P positions.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from math import prod

import numpy as np

from cdkd.segments import segment_middles
from cdkd.settings import Sampling

DENSE_WINDOW = 64
"""P-frames that a dense clip stretches over."""


@dataclass(frozen=True)
class ClipLayout:
    """The shape of a clip: G groups of P time steps, how their P-frames are chosen, what is seen around each.

    `student_window` frames of motion and residual and `teacher_window` raw frames belong to each of the T = G * P
    time steps (1: the frame itself; 5: with its two neighbours before and after; 0: not read at all).
    """

    num_gops: int
    frames_per_gop: int
    student_window: int = 1
    teacher_window: int = 1
    sampling: Sampling = "segments"

    @property
    def num_time_steps(self) -> int:
        """T, the time steps of a clip."""
        return self.num_gops * self.frames_per_gop


@dataclass(frozen=True, slots=True)
class GopSteps:
    """Time steps in one GOP: its number in the file, and positions of P-frames (0 is the I-frame)."""

    gop: int
    positions: tuple[int, ...]


ClipSteps = tuple[GopSteps, ...]
"""The time steps of a clip, one entry per group; a GOP may come several times."""


def merge_groups(steps: ClipSteps) -> ClipSteps:
    """One entry per GOP, in the order of their first: what is read of a file, each GOP once."""
    merged: dict[int, tuple[int, ...]] = {}
    for group in steps:
        merged[group.gop] = merged.get(group.gop, ()) + group.positions
    return tuple(GopSteps(gop, positions) for gop, positions in merged.items())


@dataclass(frozen=True)
class UsableGops:
    """The GOPs of a video that hold P P-frames or more, and their P-frames numbered through."""

    numbers: tuple[int, ...]
    """Of each its number in the file."""
    lengths: tuple[int, ...]
    """Of each its frames, the I-frame included."""
    starts: tuple[int, ...]
    """The number of each one's first P-frame, and behind the last one how many P-frames there are."""

    def __bool__(self) -> bool:
        return bool(self.numbers)

    @property
    def num_p_frames(self) -> int:
        """n, over all of them."""
        return self.starts[-1]

    def locate(self, number: int) -> tuple[int, int]:
        """A P-frame by its number: its GOP's place in `numbers`, and its position there, from 1."""
        place = bisect_right(self.starts, number) - 1
        return place, 1 + number - self.starts[place]


# Videos of equal lengths share one record: most videos of a data set have few different ones.
@lru_cache(maxsize=65536)
def usable_gops(gop_lengths: tuple[int, ...], frames_per_gop: int) -> UsableGops:
    """GOPs with at least `frames_per_gop` P-frames."""
    numbers = tuple(g for g, length in enumerate(gop_lengths) if length > frames_per_gop)
    lengths = tuple(gop_lengths[g] for g in numbers)
    return UsableGops(numbers, lengths, tuple(accumulate((length - 1 for length in lengths), initial=0)))


def spread_positions(gop_length: int, frames_per_gop: int) -> tuple[int, ...]:
    """P-frame positions at the middles of P equal parts of a GOP (0 is the I-frame): 12, 6 -> 1, 3, 5, 7, 9, 11."""
    return tuple(1 + middle for middle in segment_middles(gop_length - 1, frames_per_gop))


def room_to_wander(gop_length: int, frames_per_gop: int) -> int:
    """How many whole positions each of P equal parts of a GOP has: 12, 6 -> 1, so that its step stays where it is."""
    return (gop_length - 1) // frames_per_gop


def wandering_positions(gop_length: int, frames_per_gop: int, generator: np.random.Generator) -> tuple[int, ...]:
    """`spread_positions`, each moved within as many positions as its part has room for; never two of them to one."""
    room = room_to_wander(gop_length, frames_per_gop)
    middles = spread_positions(gop_length, frames_per_gop)
    moves = generator.integers(room, size=frames_per_gop) - room // 2
    return tuple(middle + move for middle, move in zip(middles, moves.tolist(), strict=True))


def segment_anchors(num: int, num_segments: int, generator: np.random.Generator) -> tuple[int, ...]:
    """One of each of `num_segments` parts of `num` P-frames, anywhere in it (TSM in training).

    Source: with d = num // T, number i * d + a draw below d. Where there are fewer P-frames than parts the source
    repeats the first one; here they are spread, each as often as the next.
    """
    width = num // num_segments
    if width == 0:
        return segment_middles(num, num_segments)
    draws = generator.integers(width, size=num_segments).tolist()
    return tuple(segment * width + draw for segment, draw in enumerate(draws))


def segment_view(num: int, num_segments: int, view: int, num_views: int) -> tuple[int, ...]:
    """Of each of `num_segments` equal parts of `num` P-frames the one at a view's offset.

    Source: TSM's only view takes the middles, its second (`--twice_sample`) the beginnings. V views take V offsets
    that are equally far apart, the middle first: 1/2, 1/2 + 1/V, ..., less 1 where that is too much.
    """
    # In whole numbers: i * num / T + offset * num / T with offset = offset_halves / 2V.
    offset = (num_views + 2 * view) % (2 * num_views)
    return tuple((2 * num_views * i + offset) * num // (2 * num_views * num_segments) for i in range(num_segments))


def _dense_anchors(start: int, num: int, num_steps: int) -> tuple[int, ...]:
    # Shorter videos are gone through again from their beginning.
    stride = DENSE_WINDOW // num_steps
    return tuple((start + step * stride) % num for step in range(num_steps))


def dense_training(num: int, num_steps: int, generator: np.random.Generator) -> tuple[int, ...]:
    """`num_steps` at a stride of 64 // num_steps P-frames, from anywhere where 64 fit (TSM's `--dense_sample`)."""
    last = max(num - DENSE_WINDOW, 0)
    # The source draws below the last start, which it therefore never takes.
    return _dense_anchors(int(generator.integers(max(last, 1))), num, num_steps)


def dense_view(num: int, num_steps: int, view: int, num_views: int) -> tuple[int, ...]:
    """The same from the start of a view: V starts from the first to the last one that fits; of one view, the middle."""
    last = max(num - DENSE_WINDOW, 0)
    start = last // 2 if num_views == 1 else int(np.linspace(0, last, num_views, dtype=int)[view])
    return _dense_anchors(start, num, num_steps)


def training_gops(num_usable: int, num_gops: int, generator: np.random.Generator) -> tuple[int, ...]:
    """One GOP drawn from each of G equal parts of a video's usable ones, by place; short videos repeat GOPs."""
    # Where there are fewer GOPs than parts, some parts are empty; these take the GOP at which they begin.
    bounds = [g * num_usable // num_gops for g in range(num_gops + 1)]
    drawn = [low if high <= low else int(generator.integers(low, high)) for low, high in pairwise(bounds)]
    return tuple(min(i, num_usable - 1) for i in drawn)


def view_gops(num_usable: int, num_gops: int, view: int, num_views: int) -> tuple[int, ...]:
    """The GOPs of test clip `view`, by place: of each of G equal parts the one at (view + 1/2) / num_views of it."""
    # Every part falls into as many segments as there are views, and a view takes the same one of each.
    return segment_middles(num_usable, num_gops * num_views)[view::num_views]


_TRAINING: dict[Sampling, Callable[[int, int, np.random.Generator], tuple[int, ...]]] = {
    "segments": segment_anchors,
    "dense": dense_training,
}
_VIEW: dict[Sampling, Callable[[int, int, int, int], tuple[int, ...]]] = {
    "segments": segment_view,
    "dense": dense_view,
}


def training_steps(gops: UsableGops, layout: ClipLayout, generator: np.random.Generator) -> ClipSteps:
    """The time steps of a clip to train on, drawn from a video with one usable GOP or more."""
    if layout.sampling == "gops":
        return _fixed(gops, training_gops(len(gops.numbers), layout.num_gops, generator), layout)
    anchors = _TRAINING[layout.sampling](gops.num_p_frames, layout.num_gops, generator)

    def around(gop_length: int) -> tuple[int, ...]:
        return wandering_positions(gop_length, layout.frames_per_gop, generator)

    return _at_anchors(gops, anchors, layout, around)


def view_steps(gops: UsableGops, layout: ClipLayout, view: int = 0, num_views: int = 1) -> ClipSteps:
    """The time steps of test clip `view` of `num_views`."""
    if layout.sampling == "gops":
        return _fixed(gops, view_gops(len(gops.numbers), layout.num_gops, view, num_views), layout)
    anchors = _VIEW[layout.sampling](gops.num_p_frames, layout.num_gops, view, num_views)
    return _at_anchors(gops, anchors, layout, lambda length: spread_positions(length, layout.frames_per_gop))


def _fixed(gops: UsableGops, places: Sequence[int], layout: ClipLayout) -> ClipSteps:
    p = layout.frames_per_gop
    return tuple(GopSteps(gops.numbers[place], spread_positions(gops.lengths[place], p)) for place in places)


def _at_anchors(
    gops: UsableGops, anchors: Sequence[int], layout: ClipLayout, around: Callable[[int], tuple[int, ...]]
) -> ClipSteps:
    steps = []
    for place, position in map(gops.locate, anchors):
        positions = (position,) if layout.frames_per_gop == 1 else around(gops.lengths[place])
        steps.append(GopSteps(gops.numbers[place], positions))
    return tuple(steps)


def are_positions_fixed(gop_lengths: Iterable[int], layout: ClipLayout) -> bool:
    """Each of these GOPs is always read at the same positions, those of `spread_positions`."""
    p = layout.frames_per_gop
    # With one step per GOP any P-frame may be it; a GOP of two frames has one alone.
    room = 1 if layout.sampling == "gops" else max((room_to_wander(length, p) for length in gop_lengths), default=1)
    return room <= 1


def num_training_clips(gops: UsableGops, layout: ClipLayout) -> int:
    """How many different clips `training_steps` draws from a video, for GOPs of one length."""
    num, p = layout.num_gops, layout.frames_per_gop
    per_part = max(1, len(gops.numbers) // num)
    per_gop = prod([room_to_wander(gops.lengths[0], p)] * p)
    if layout.sampling == "gops":
        return prod([per_part] * num)
    if layout.sampling == "segments":
        return prod([per_part * per_gop] * num)
    # With one step per GOP, where the window begins decides everything.
    return max(gops.num_p_frames - DENSE_WINDOW, 1) * (1 if p == 1 else prod([per_gop] * num))
