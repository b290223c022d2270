"""Block vectors become a dense motion field; fields chain back to the I-frame.

All fields are int16 in quarter pixels, channel 0 = x, 1 = y, with m(x) = x - reference(x): what stands at x
comes from x - m(x) in the reference frame. FFmpeg's `motion_x / motion_scale` is reference - x, hence the sign here.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.modality import MOTION_UNITS_PER_PIXEL
from cdkd.video.native import native

Field = NDArray[np.int16]
Mask = NDArray[np.bool_]


@native
def _paint_blocks(vectors: Any, units: int, field: Field, intra: Mask) -> None:
    height, width = intra.shape
    field[:] = 0
    intra[:] = True
    for index in range(vectors.shape[0]):
        vector = vectors[index]
        block_width, block_height = np.int64(vector.w), np.int64(vector.h)
        left = max(np.int64(vector.dst_x) - block_width // 2, 0)
        top = max(np.int64(vector.dst_y) - block_height // 2, 0)
        right = min(np.int64(vector.dst_x) - block_width // 2 + block_width, width)
        bottom = min(np.int64(vector.dst_y) - block_height // 2 + block_height, height)
        scale = np.int64(vector.motion_scale)
        x = -np.int64(vector.motion_x) * units // scale
        y = -np.int64(vector.motion_y) * units // scale
        for row in range(top, bottom):
            for column in range(left, right):
                field[row, column, 0] = x
                field[row, column, 1] = y
                intra[row, column] = False


def paint_blocks(vectors: NDArray[Any], field: Field, intra: Mask) -> None:
    """Writes FFmpeg's block vectors into a dense field; blocks without a vector are intra, with motion 0.

    Args:
        vectors: (N,) FFmpeg's AVMotionVector records of one P-frame.
        field: (H, W, 2) output, quarter pixels.
        intra: (H, W) output.
    """
    _paint_blocks(vectors, MOTION_UNITS_PER_PIXEL, field, intra)


@native
def _accumulate(field: Field, before: Field, out: Field, units: int) -> None:
    height, width = field.shape[0], field.shape[1]
    for row in range(height):
        for column in range(width):
            x, y = np.int64(field[row, column, 0]), np.int64(field[row, column, 1])
            source_column = min(max((column * units - x + units // 2) // units, 0), width - 1)
            source_row = min(max((row * units - y + units // 2) // units, 0), height - 1)
            out[row, column, 0] = x + before[source_row, source_column, 0]
            out[row, column, 1] = y + before[source_row, source_column, 1]


def accumulate(field: Field, before: Field, out: Field) -> None:
    """Motion back to the I-frame: a_t(x) = m_t(x) + a_(t-1)(x - m_t(x)).

    x - m_t(x) is rounded to the nearest pixel (halves up) and clamped to the frame.

    Args:
        field: (H, W, 2) m_t.
        before: (H, W, 2) a_(t-1), zero for the I-frame.
        out: (H, W, 2) a_t; must not share memory with `before`.
    """
    _accumulate(field, before, out, MOTION_UNITS_PER_PIXEL)
