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

_UNIT_BITS = MOTION_UNITS_PER_PIXEL.bit_length() - 1

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
def _list_cells(vectors: Any, intra: Mask) -> NDArray[np.int16]:
    """(rows, columns, 2) motion in quarter pixels, x and y, of each cell of 8 x 8 pixels; marks the intra ones."""
    height, width = intra.shape
    # Blocks are 8 or 16 pixels wide and high, on a grid of 8. Shifts, because a division would round twice.
    rows, columns = (height + 7) // 8, (width + 7) // 8
    cells = np.zeros((rows + 1, columns + 1, 2), np.int16)
    is_bare = np.ones((rows + 1, columns + 1), np.bool_)
    for index in range(vectors.shape[0]):
        vector = vectors[index]
        side_y, side_x, scale = np.int64(vector.h), np.int64(vector.w), np.int64(vector.motion_scale)
        top, left = (np.int64(vector.dst_y) - (side_y >> 1)) >> 3, (np.int64(vector.dst_x) - (side_x >> 1)) >> 3
        x, y = -np.int64(vector.motion_x) * MOTION_UNITS_PER_PIXEL, -np.int64(vector.motion_y) * MOTION_UNITS_PER_PIXEL
        # Codecs use scales of 2 and 4, which need no division either.
        if scale == 2:
            x, y = x >> 1, y >> 1
        elif scale == 4:
            x, y = x >> 2, y >> 2
        else:
            x, y = x // scale, y // scale
        for row in range(top, min(top + (side_y >> 3), rows)):
            for column in range(left, min(left + (side_x >> 3), columns)):
                cells[row, column, 0], cells[row, column, 1] = x, y
                is_bare[row, column] = False
    for row in range(rows):
        for column in range(columns):
            if is_bare[row, column]:
                intra[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = True
    return cells[:rows, :columns]


@native
def _list_runs(cells: NDArray[np.int16], width: int, runs: NDArray[np.int64]) -> int:
    """One row of cells as runs of equal motion: left, right, shift in whole pixels (x, y), motion (x, y), is inner.

    Inner: all sources lie between the field's left and right edge. Returns the number of runs.
    """
    half, count = MOTION_UNITS_PER_PIXEL // 2, 0
    for column in range(cells.shape[0]):
        x, y = np.int64(cells[column, 0]), np.int64(cells[column, 1])
        left, right, shift = 8 * column, 8 * column + 8, (half - x) >> _UNIT_BITS
        is_inner = right <= width and left + shift >= 0 and right + shift <= width
        last = max(count - 1, 0)
        if count and runs[last, 4] == x and runs[last, 5] == y and runs[last, 6] == is_inner:
            runs[last, 1] = min(right, width)
            continue
        runs[count, 0], runs[count, 1] = left, min(right, width)
        runs[count, 2], runs[count, 3] = shift, (half - y) >> _UNIT_BITS
        runs[count, 4], runs[count, 5], runs[count, 6] = x, y, is_inner
        count += 1
    return count


@native
def _chain_row(runs: NDArray[np.int64], count: int, before: Field, channel: int, row: int, out: Field) -> None:
    """One row of pixels; outside the field its edges are repeated."""
    height, width = before.shape
    to_y = np.uint64(row)
    for index in range(np.uint64(count)):
        left, right, shift = runs[index, 0], runs[index, 1], runs[index, 2]
        motion, line = np.int16(runs[index, 4 + channel]), min(max(row + runs[index, 3], 0), height - 1)
        if runs[index, 6]:
            y, x, to_x, end = np.uint64(line), np.uint64(left + shift), np.uint64(left), np.uint64(right)
            while to_x + np.uint64(16) <= end:
                add_row_16(before, y, x, motion, out, to_y, to_x)
                x, to_x = x + np.uint64(16), to_x + np.uint64(16)
            if to_x < end:
                add_row_8(before, y, x, motion, out, to_y, to_x)
        else:
            for column in range(left, right):
                out[row, column] = before[line, min(max(column + shift, 0), width - 1)] + motion


@native
def _chain(vectors: Any, before: Field, out: Field, intra: Mask) -> None:
    """Row by row of pixels, not block by block, because memory is written fastest from front to back."""
    height, width = intra.shape
    cells = _list_cells(vectors, intra)
    runs = np.empty((cells.shape[1], 7), np.int64)
    before_x, before_y, out_x, out_y = before[0], before[1], out[0], out[1]
    for band in range(cells.shape[0]):
        count = _list_runs(cells[band], width, runs)
        for row in range(8 * band, min(8 * band + 8, height)):
            _chain_row(runs, count, before_x, 0, row, out_x)
        for row in range(8 * band, min(8 * band + 8, height)):
            _chain_row(runs, count, before_y, 1, row, out_y)


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
    _chain(vectors, before, out, intra)
