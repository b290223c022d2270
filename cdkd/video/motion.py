"""Cells' motions become dense fields: a whole GOP at once, each frame alone or chained back to the I-frame.

Fields are int16 in quarter pixels, (2, H, W) in memory: x, then y.

    frame 0 (I)        frame 1            frame 2
       [A] <-- m_1 ------ [A] <-- m_2 ------ [A]        a_2 at A = m_2 + a_1 at the place that m_2 points to
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.modality import MOTION_UNITS_PER_PIXEL
from cdkd.video.jit import native
from cdkd.video.memory import empty_array
from cdkd.video.motion_blocks import BARE, CELL, UNIT_BITS, Cells, x_of, y_of
from cdkd.video.simd import add_row_8, add_row_16

Field = NDArray[np.int16]


@native
def _spread(cells: Cells, out: Field) -> None:
    """Each cell's motion becomes that of its pixels: the field of a frame that is not chained."""
    _, height, width = out.shape
    for row in range(height):
        if row % CELL == 0:
            for column in range(width):
                motion = cells[row // CELL, column // CELL]
                out[0, row, column], out[1, row, column] = x_of(motion), y_of(motion)
        else:
            for column in range(width):
                out[0, row, column], out[1, row, column] = out[0, row - 1, column], out[1, row - 1, column]


@native
def _chain_over_edge(
    before_x: Any, before_y: Any, motion: Any, top: int, left: int, right: int, places: Any, out_x: Any, out_y: Any
) -> None:
    """Cells that come from beyond the left or right edge, or lie there; `places`: room for a row's source columns."""
    height, width = before_x.shape
    half, x, y = MOTION_UNITS_PER_PIXEL // 2, np.int16(x_of(motion)), np.int16(y_of(motion))
    shift_x, shift_y = (half - x_of(motion)) >> UNIT_BITS, (half - y_of(motion)) >> UNIT_BITS
    # Unsigned places are not looked at for being counted from the end.
    start, count = np.uint64(left), np.uint64(min(right, width) - left)
    for index in range(count):
        places[index] = min(max(left + np.int64(index) + shift_x, 0), width - 1)
    for row in range(top, min(top + CELL, height)):
        line, to_y = np.uint64(min(max(row + shift_y, 0), height - 1)), np.uint64(row)
        for index in range(count):
            out_x[to_y, start + index] = before_x[line, places[index]] + x
        for index in range(count):
            out_y[to_y, start + index] = before_y[line, places[index]] + y


@native
def _chain(cells: Cells, before: Field, out: Field) -> None:
    """Cell by cell, or two side by side that move alike: blocks of video are 8 or 16 pixels wide."""
    _, height, width = before.shape
    before_x, before_y, out_x, out_y = before[0], before[1], out[0], out[1]
    half, (rows, columns), places = MOTION_UNITS_PER_PIXEL // 2, cells.shape, np.empty(2 * CELL, np.uint64)
    for band in range(rows):
        top, column = CELL * band, 0
        bottom = min(top + CELL, height)
        while column < columns:
            motion = cells[band, column]
            is_pair = column + 1 < columns and cells[band, column + 1] == motion
            left, side = CELL * column, 2 * CELL if is_pair else CELL
            column += 2 if is_pair else 1
            to_x = np.uint64(left)
            x, y = x_of(motion), y_of(motion)
            start, shift_y = left + ((half - x) >> UNIT_BITS), (half - y) >> UNIT_BITS
            if start < 0 or start + side > width or left + side > width:
                _chain_over_edge(before_x, before_y, motion, top, left, left + side, places, out_x, out_y)
                continue
            from_x, add_x, add_y = np.uint64(start), np.int16(x), np.int16(y)
            for row in range(top, bottom):
                line = min(max(row + shift_y, 0), height - 1)
                from_y, to_y = np.uint64(line), np.uint64(row)
                if is_pair:
                    add_row_16(before_x, from_y, from_x, add_x, out_x, to_y, to_x)
                    add_row_16(before_y, from_y, from_x, add_y, out_y, to_y, to_x)
                else:
                    add_row_8(before_x, from_y, from_x, add_x, out_x, to_y, to_x)
                    add_row_8(before_y, from_y, from_x, add_y, out_y, to_y, to_x)


@native
def _trace(cells: NDArray[np.int32], slots: Any, is_chained: bool, motion: Any, intra: Any, spare: Any) -> None:
    """`spare`: (2, 2, H, W), for fields that are needed but not wanted."""
    before = motion[0]
    for index in range(cells.shape[0]):
        slot = slots[index]
        if slot >= 0 or is_chained:
            out = motion[slot] if slot >= 0 else spare[index % 2]
            if index and is_chained:
                _chain(cells[index], before, out)
            else:
                _spread(cells[index], out)
            before = out
        if slot >= 0:
            for row in range(cells.shape[1]):
                for column in range(cells.shape[2]):
                    intra[slot, row, column] = cells[index, row, column] == BARE


def trace_motion(
    cells: NDArray[np.int32],
    slots: Sequence[int],
    is_chained: bool,
    motion: NDArray[np.int16],
    intra: NDArray[np.bool_],
) -> None:
    """Motion of a GOP's P-frames; chained back to the I-frame: a_t(x) = m_t(x) + a_(t-1)(x - m_t(x)), m_t by cells.

    x - m_t(x) is rounded to the nearest pixel (halves up) and clamped to the frame. Where the codec gives no
    vector (intra blocks) m_t is 0.

    Args:
        cells: (T, ceil(H / 8), ceil(W / 8)) of the GOP's first T P-frames, as `cells.py` describes them.
        slots: where in `motion` and `intra` each goes; -1: it is not wanted.
        is_chained: relative to the I-frame; else to the frame before.
        motion: (P, 2, H, W) output, quarter pixels.
        intra: (P, ceil(H / 8), ceil(W / 8)) output, true where a cell has no vector.
    """
    spare = empty_array((2 if is_chained and min(slots) < 0 else 0, *motion.shape[1:]), np.int16)
    _trace(cells, np.array(slots), is_chained, motion, intra, spare)
