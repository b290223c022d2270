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
from cdkd.video.wide import add_row_8, add_row_16

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
def _chain_edge(
    before: Field, out: Field, top: int, left: int, bottom: int, right: int, shift_y: int, shift_x: int, motion: Any
) -> None:
    """A block of any size, whose source may lie beyond the field's edges, which are repeated outwards."""
    height, width = before.shape
    for row in range(top, bottom):
        source = min(max(row + shift_y, 0), height - 1)
        for column in range(left, right):
            out[row, column] = before[source, min(max(column + shift_x, 0), width - 1)] + motion


@native
def _chain_block(before: Field, out: Field, top: int, left: int, side_y: int, side_x: int, x: int, y: int) -> None:
    """Both channels of one block; its shift to whole pixels is constant."""
    height, width = before.shape[1], before.shape[2]
    units = MOTION_UNITS_PER_PIXEL
    shift_y, shift_x = (units // 2 - y) // units, (units // 2 - x) // units
    bottom, right = min(top + side_y, height), min(left + side_x, width)
    is_inner = min(left, left + shift_x) >= 0 and max(left, left + shift_x) + side_x <= width
    for channel in range(2):
        motion = np.int16(y if channel else x)
        source, target = before[channel], out[channel]
        if is_inner and side_x == 16:
            for row in range(top, bottom):
                line = np.uint64(min(max(row + shift_y, 0), height - 1))
                add_row_16(source, line, np.uint64(left + shift_x), motion, target, np.uint64(row), np.uint64(left))
        elif is_inner and side_x == 8:
            for row in range(top, bottom):
                line = np.uint64(min(max(row + shift_y, 0), height - 1))
                add_row_8(source, line, np.uint64(left + shift_x), motion, target, np.uint64(row), np.uint64(left))
        else:
            _chain_edge(source, target, top, left, bottom, right, shift_y, shift_x, motion)


@native
def _chain(vectors: Any, before: Field, out: Field, intra: Mask) -> None:
    height, width = intra.shape
    # Codecs choose between predicted and intra by macroblock, so a grid of 8 x 8 pixels tells all.
    rows, columns = (height + 7) // 8, (width + 7) // 8
    is_bare = np.ones((rows + 2, columns + 2), np.bool_)
    for index in range(vectors.shape[0]):
        vector = vectors[index]
        side_y, side_x = np.int64(vector.h), np.int64(vector.w)
        left, top = np.int64(vector.dst_x) - side_x // 2, np.int64(vector.dst_y) - side_y // 2
        for row in range(top // 8, (top + side_y) // 8):
            for column in range(left // 8, (left + side_x) // 8):
                is_bare[row, column] = False
        scale = np.int64(vector.motion_scale)
        x = -np.int64(vector.motion_x) * MOTION_UNITS_PER_PIXEL // scale
        y = -np.int64(vector.motion_y) * MOTION_UNITS_PER_PIXEL // scale
        _chain_block(before, out, top, left, side_y, side_x, x, y)
    intra[:] = False
    for row in range(rows):
        for column in range(columns):
            if is_bare[row, column]:
                intra[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = True
                _chain_block(before, out, 8 * row, 8 * column, 8, 8, 0, 0)


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
    _chain(vectors, before, out, intra)
