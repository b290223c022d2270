"""Block vectors become dense motion fields, of one frame or chained back to the I-frame.

Fields are int16 in quarter pixels, (2, H, W) in memory: x, then y, with m(x) = x - reference(x): what stands at
x comes from x - m(x) in the reference frame. FFmpeg's `motion_x / motion_scale` is reference - x, hence the minus.

    frame 0 (I)        frame 1            frame 2
       [A] <-- m_1 ------ [A] <-- m_2 ------ [A]        a_2 at A = m_2 + a_1 at the place that m_2 points to
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.modality import MOTION_UNITS_PER_PIXEL
from cdkd.video.native import native

Field = NDArray[np.int16]
Mask = NDArray[np.bool_]

VECTOR_TYPE = np.dtype(
    [
        ("source", np.int32),
        ("w", np.uint8),
        ("h", np.uint8),
        ("src_x", np.int16),
        ("src_y", np.int16),
        ("dst_x", np.int16),
        ("dst_y", np.int16),
        ("flags", np.uint64),
        ("motion_x", np.int32),
        ("motion_y", np.int32),
        ("motion_scale", np.uint16),
    ],
    align=True,
)
"""FFmpeg's AVMotionVector; `src_x` and `src_y` are cut to whole pixels and not used here."""


@native
def _chain_channel(runs: NDArray[np.int64], before: Field, channel: int, out: Field) -> None:
    """One channel of all runs of blocks; within a run the shift to whole pixels is constant."""
    height, width = before.shape
    for index in range(runs.shape[0]):
        top, left, bottom, right, shift_y, shift_x = runs[index, :6]
        motion = np.int16(runs[index, 6 + channel])
        # Columns whose source lies inside the field; those before and after repeat its edge.
        inner_left, inner_right = min(max(left, -shift_x), right), max(min(right, width - shift_x), left)
        for row in range(top, bottom):
            source, target = before[min(max(row + shift_y, 0), height - 1)], out[row]
            for column in range(left, inner_left):
                target[column] = source[0] + motion
            # Unsigned, so that no index is tested for being negative and the loop becomes wide instructions.
            here, there = np.uint64(inner_left), np.uint64(inner_left + shift_x)
            for step in range(np.uint64(max(inner_right - inner_left, 0))):
                target[here + step] = source[there + step] + motion
            for column in range(max(inner_right, inner_left), right):
                target[column] = source[width - 1] + motion


@native
def _append(runs: NDArray[np.int64], count: int, top: int, left: int, bottom: int, right: int, x: Any, y: Any) -> int:
    """Adds a block, or lengthens the last run if the block continues it to the right; returns the number of runs."""
    last = runs[max(count - 1, 0)]
    if count and last[0] == top and last[2] == bottom and last[3] == left and last[6] == x and last[7] == y:
        last[3] = right
        return count
    units = MOTION_UNITS_PER_PIXEL
    run = runs[count]
    run[0], run[1], run[2], run[3] = top, left, bottom, right
    run[4], run[5], run[6], run[7] = (units // 2 - y) // units, (units // 2 - x) // units, x, y
    return count + 1


@native
def _list_runs(vectors: Any, intra: Mask) -> NDArray[np.int64]:
    """Rows of: top, left, bottom, right, shift in whole pixels (y, x), motion in quarter pixels (x, y)."""
    height, width = intra.shape
    # Codecs choose between predicted and intra by macroblock, so a grid of 8 x 8 pixels tells all.
    rows, columns = (height + 7) // 8, (width + 7) // 8
    is_bare = np.ones((rows + 2, columns + 2), np.bool_)
    runs = np.empty((vectors.shape[0] + rows * columns, 8), np.int64)
    count = 0
    for index in range(vectors.shape[0]):
        vector = vectors[index]
        left, top = np.int64(vector.dst_x) - vector.w // 2, np.int64(vector.dst_y) - vector.h // 2
        for row in range(top // 8, (top + vector.h) // 8):
            for column in range(left // 8, (left + vector.w) // 8):
                is_bare[row, column] = False
        scale = np.int64(vector.motion_scale)
        x = -np.int64(vector.motion_x) * MOTION_UNITS_PER_PIXEL // scale
        y = -np.int64(vector.motion_y) * MOTION_UNITS_PER_PIXEL // scale
        bottom, right = min(top + vector.h, height), min(left + vector.w, width)
        count = _append(runs, count, top, left, bottom, right, x, y)
    for row in range(rows):
        for column in range(columns):
            if is_bare[row, column]:
                bottom, right = min(8 * row + 8, height), min(8 * column + 8, width)
                intra[8 * row : bottom, 8 * column : right] = True
                count = _append(runs, count, 8 * row, 8 * column, bottom, right, 0, 0)
    return runs[:count]


def chain_blocks(vectors: NDArray[Any], before: Field, out: Field, intra: Mask) -> None:
    """Motion back to the I-frame: a_t(x) = m_t(x) + a_(t-1)(x - m_t(x)), m_t constant on each block.

    x - m_t(x) is rounded to the nearest pixel (halves up) and clamped to the frame. Where the codec gives no
    vector (intra blocks) m_t is 0. With `before` all zero the result is the frame's own field m_t.

    Args:
        vectors: (N,) `VECTOR_TYPE`, one P-frame's blocks.
        before: (2, H, W) a_(t-1), quarter pixels; zero for the I-frame.
        out: (2, H, W) a_t; must not share memory with `before`.
        intra: (H, W) output, true where no block has a vector.
    """
    intra.fill(False)
    runs = _list_runs(vectors, intra)
    for channel in range(2):
        _chain_channel(runs, before[channel], channel, out[channel])
