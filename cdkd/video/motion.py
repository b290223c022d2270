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
def _chain_block(before: Field, x: Any, y: Any, units: int, box: Any, out: Field) -> None:
    """a(p) = (x, y) + before(p - (x, y)) for one block: within it the shift to whole pixels is constant."""
    top, left, bottom, right = box
    height, width = out.shape[1], out.shape[2]
    shift_x, shift_y = (units // 2 - x) // units, (units // 2 - y) // units
    is_inside = left + shift_x >= 0 and right + shift_x <= width
    for row in range(top, bottom):
        source_row = min(max(row + shift_y, 0), height - 1)
        target_x, target_y = out[0, row, left:right], out[1, row, left:right]
        if is_inside:
            source_x = before[0, source_row, left + shift_x : right + shift_x]
            source_y = before[1, source_row, left + shift_x : right + shift_x]
            for column in range(right - left):
                target_x[column] = source_x[column] + x
                target_y[column] = source_y[column] + y
        else:
            for column in range(right - left):
                source_column = min(max(left + column + shift_x, 0), width - 1)
                target_x[column] = before[0, source_row, source_column] + x
                target_y[column] = before[1, source_row, source_column] + y


@native
def _chain_blocks(vectors: Any, before: Field, units: int, out: Field, intra: Mask) -> None:
    height, width = intra.shape
    # A still block and, by convention, an intra block keep what stood there before.
    out[:] = before
    intra[:] = True
    for index in range(vectors.shape[0]):
        vector = vectors[index]
        left, top = np.int64(vector.dst_x) - vector.w // 2, np.int64(vector.dst_y) - vector.h // 2
        right, bottom = min(left + vector.w, width), min(top + vector.h, height)
        left, top = max(left, 0), max(top, 0)
        intra[top:bottom, left:right] = False
        scale = np.int64(vector.motion_scale)
        x, y = -np.int64(vector.motion_x) * units // scale, -np.int64(vector.motion_y) * units // scale
        if x != 0 or y != 0:
            _chain_block(before, x, y, units, (top, left, bottom, right), out)


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
    _chain_blocks(vectors, before, MOTION_UNITS_PER_PIXEL, out, intra)
