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
def _shift_inner(before: Field, top: Any, left: Any, side_y: Any, side_x: Any, shift: Any, out: Field) -> None:
    """One channel of a block whose source pixels all exist; unsigned, so that no index is tested for being negative."""
    for row in range(side_y):
        for column in range(side_x):
            out[row, column] = before[top + row, left + column] + shift


@native
def _shift_edge(before: Field, top: int, left: int, shift: int, out: Field) -> None:
    """The same with the field's edges repeated outwards."""
    height, width = before.shape
    for row in range(out.shape[0]):
        source_row = min(max(top + row, 0), height - 1)
        for column in range(out.shape[1]):
            out[row, column] = before[source_row, min(max(left + column, 0), width - 1)] + shift


@native
def _chain_channel(blocks: NDArray[np.int64], before: Field, channel: int, out: Field) -> None:
    """One channel of all moving blocks; `out` holds a copy of `before` on entry."""
    height, width = before.shape
    for index in range(blocks.shape[0]):
        top, left, bottom, right, shift_y, shift_x = blocks[index, :6]
        target, shift = out[top:bottom, left:right], blocks[index, 6 + channel]
        if min(top + shift_y, left + shift_x) < 0 or bottom + shift_y > height or right + shift_x > width:
            _shift_edge(before, top + shift_y, left + shift_x, shift, target)
        else:
            source_top, source_left = np.uint64(top + shift_y), np.uint64(left + shift_x)
            side_y, side_x = np.uint64(bottom - top), np.uint64(right - left)
            _shift_inner(before, source_top, source_left, side_y, side_x, np.int16(shift), target)


@native
def _moving_blocks(vectors: Any, units: int, intra: Mask) -> NDArray[np.int64]:
    """Of each block that moves: top, left, bottom, right, shift in whole pixels (y, x), motion in units (x, y)."""
    height, width = intra.shape
    # Codecs choose between predicted and intra by macroblock, so a grid of 8 x 8 pixels tells all.
    is_bare = np.ones((height // 8 + 3, width // 8 + 3), np.bool_)
    blocks = np.empty((vectors.shape[0], 8), np.int64)
    count = 0
    for index in range(vectors.shape[0]):
        vector = vectors[index]
        left, top = np.int64(vector.dst_x) - vector.w // 2, np.int64(vector.dst_y) - vector.h // 2
        for row in range(top // 8, (top + vector.h) // 8):
            for column in range(left // 8, (left + vector.w) // 8):
                is_bare[row, column] = False
        motion_x, motion_y, scale = np.int64(vector.motion_x), np.int64(vector.motion_y), np.int64(vector.motion_scale)
        if motion_x == 0 and motion_y == 0:
            continue
        x, y = -motion_x * units // scale, -motion_y * units // scale
        block = blocks[count]
        block[0], block[1], block[2], block[3] = top, left, min(top + vector.h, height), min(left + vector.w, width)
        block[4], block[5], block[6], block[7] = (units // 2 - y) // units, (units // 2 - x) // units, x, y
        count += 1
    for row in range((height + 7) // 8):
        for column in range((width + 7) // 8):
            if is_bare[row, column]:
                intra[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = True
    return blocks[:count]


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
    np.copyto(out, before)
    intra.fill(False)
    blocks = _moving_blocks(vectors, MOTION_UNITS_PER_PIXEL, intra)
    for channel in range(2):
        _chain_channel(blocks, before[channel], channel, out[channel])
