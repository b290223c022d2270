"""Blocks' motions become dense fields: a whole GOP at once, each frame alone or chained back to the I-frame.

Fields are int16 in quarter pixels, (2, H, W) in memory: x, then y.

    frame 0 (I)        frame 1            frame 2
       [A] <-- m_1 ------ [A] <-- m_2 ------ [A]        a_2 at A = m_2 + a_1 at the place that m_2 points to

Chaining a frame is a walk over its blocks, and each row of a block is one addition of two vectors (`row_operations`):

    1  two blocks side by side that move alike are taken as one of 16 pixels: one macroblock is 2 x 2 motion blocks
    2  the block's motion, rounded to whole pixels, says where its rows stand in the field before
    3  a block that reads or lies beyond the left or right edge goes pixel by pixel; there are few
    4  each row: the field before, read at that place, plus the block's own motion, which is the same for all its pixels
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.modality import MOTION_UNITS_PER_PIXEL, MotionReference
from cdkd.video.jit import jit
from cdkd.video.memory import empty_array
from cdkd.video.motion_blocks import BLOCK_PIXELS, INTRA, UNIT_BITS, MotionBlocks, x_of, y_of
from cdkd.video.row_operations import row_ops

Field = NDArray[np.int16]


@jit
def _spread(blocks: MotionBlocks, out: Field) -> None:
    """Each block's motion becomes that of its pixels: the field of a frame that is not chained."""
    _, height, width = out.shape
    for row in range(height):
        if row % BLOCK_PIXELS == 0:
            for column in range(width):
                motion = blocks[row // BLOCK_PIXELS, column // BLOCK_PIXELS]
                out[0, row, column], out[1, row, column] = x_of(motion), y_of(motion)
        else:
            # The other seven rows of a block are copies of its first, which the compiler turns into block moves.
            for column in range(width):
                out[0, row, column], out[1, row, column] = out[0, row - 1, column], out[1, row - 1, column]


@jit
def _chain_over_edge(
    before_x: Any, before_y: Any, motion: Any, top: int, left: int, right: int, places: Any, out_x: Any, out_y: Any
) -> None:
    """Blocks that come from beyond the left or right edge, or lie there; `places`: room for a row's source columns."""
    height, width = before_x.shape
    half, x, y = MOTION_UNITS_PER_PIXEL // 2, np.int16(x_of(motion)), np.int16(y_of(motion))
    # -motion in whole pixels, to the nearest, as in 2 of `_chain`.
    shift_x, shift_y = (half - x_of(motion)) >> UNIT_BITS, (half - y_of(motion)) >> UNIT_BITS
    # Unsigned, so that no index is asked whether it is negative and counts from the end.
    start, count = np.uint64(left), np.uint64(min(right, width) - left)
    # The columns once per block, since all of its rows read the same ones.
    for index in range(count):
        places[index] = min(max(left + np.int64(index) + shift_x, 0), width - 1)
    for row in range(top, min(top + BLOCK_PIXELS, height)):
        line, to_y = np.uint64(min(max(row + shift_y, 0), height - 1)), np.uint64(row)
        for index in range(count):
            out_x[to_y, start + index] = before_x[line, places[index]] + x
        for index in range(count):
            out_y[to_y, start + index] = before_y[line, places[index]] + y


@jit
def _chain(blocks: MotionBlocks, before: Field, out: Field) -> None:
    """The numbers are those of this file's first lines."""
    _, height, width = before.shape
    before_x, before_y, out_x, out_y = before[0], before[1], out[0], out[1]
    half, (rows, columns), places = MOTION_UNITS_PER_PIXEL // 2, blocks.shape, np.empty(2 * BLOCK_PIXELS, np.uint64)
    for band in range(rows):
        top, column = BLOCK_PIXELS * band, 0
        bottom = min(top + BLOCK_PIXELS, height)
        while column < columns:
            motion = blocks[band, column]
            is_pair = column + 1 < columns and blocks[band, column + 1] == motion  # 1
            left, side = BLOCK_PIXELS * column, 2 * BLOCK_PIXELS if is_pair else BLOCK_PIXELS
            column += 2 if is_pair else 1
            to_x = np.uint64(left)
            x, y = x_of(motion), y_of(motion)
            # 2. A shift to the right rounds down, for negative numbers too; with a half added, to the nearest.
            start, shift_y = left + ((half - x) >> UNIT_BITS), (half - y) >> UNIT_BITS
            if start < 0 or start + side > width or left + side > width:
                _chain_over_edge(before_x, before_y, motion, top, left, left + side, places, out_x, out_y)  # 3
                continue
            from_x, add_x, add_y = np.uint64(start), np.int16(x), np.int16(y)
            for row in range(top, bottom):  # 4
                # Rows beyond the upper or lower edge need no way of their own: each is clamped as a whole.
                line = min(max(row + shift_y, 0), height - 1)
                from_y, to_y = np.uint64(line), np.uint64(row)
                if is_pair:
                    row_ops.add_row_16(before_x, from_y, from_x, add_x, out_x, to_y, to_x)
                    row_ops.add_row_16(before_y, from_y, from_x, add_y, out_y, to_y, to_x)
                else:
                    row_ops.add_row_8(before_x, from_y, from_x, add_x, out_x, to_y, to_x)
                    row_ops.add_row_8(before_y, from_y, from_x, add_y, out_y, to_y, to_x)


@jit
def _trace(blocks: NDArray[np.int32], slots: Any, is_chained: bool, motion: Any, intra: Any, spare: Any) -> None:
    """`spare`: (2, 2, H, W), for fields that the next frame needs but nobody asked for; two take turns."""
    before = motion[0]
    for index in range(blocks.shape[0]):
        slot = slots[index]
        # A frame that nobody asked for is passed over, unless the next one is chained to it.
        if slot >= 0 or is_chained:
            # Two spares: `before` may lie in one of them while the other is written.
            out = motion[slot] if slot >= 0 else spare[index % 2]
            # The first P-frame's reference is the I-frame, whose own field is 0: its chained motion is its motion.
            if index and is_chained:
                _chain(blocks[index], before, out)
            else:
                _spread(blocks[index], out)
            before = out
        if slot >= 0:
            for row in range(blocks.shape[1]):
                for column in range(blocks.shape[2]):
                    intra[slot, row, column] = blocks[index, row, column] == INTRA


def trace_motion(
    blocks: NDArray[np.int32],
    slots: Sequence[int],
    reference: MotionReference,
    motion: NDArray[np.int16],
    intra: NDArray[np.bool_],
) -> None:
    """Motion of a GOP's P-frames; to the I-frame: a_t(x) = m_t(x) + a_(t-1)(x - m_t(x)), m_t by blocks.

    x - m_t(x) is rounded to the nearest pixel (halves up) and clamped to the frame. Where the codec gives no
    vector (intra blocks) m_t is 0, so that a_t is what a_(t-1) was there.

    Args:
        blocks: (T, ceil(H / 8), ceil(W / 8)) of the GOP's first T P-frames, as `motion_blocks.py` describes them.
        slots: where in `motion` and `intra` each goes; -1: it is not wanted.
        reference: what the motion is relative to.
        motion: (P, 2, H, W) output, quarter pixels.
        intra: (P, ceil(H / 8), ceil(W / 8)) output, true where a block has no vector.
    """
    is_chained = reference is MotionReference.IFRAME
    spare = empty_array((2 if is_chained and min(slots) < 0 else 0, *motion.shape[1:]), np.int16)
    _trace(blocks, np.array(slots), is_chained, motion, intra, spare)
