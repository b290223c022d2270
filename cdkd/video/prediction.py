"""MPEG-4 Part 2's half-pixel motion compensation, to the bit: a reference picture becomes a prediction.

From the reference as decoded this is what the codec predicted; chained, prediction from prediction, it carries the
I-frame along the GOP. FFmpeg hands out neither. (A decoder without inverse transform shows the chain too, at the price
of a second decoding; `carried.py` falls back on it where this file does not reach, and the tests compare the two.)

    1  motion blocks become the codec's own blocks of each plane: a macroblock is 16 x 16 of luma, in one or four
       parts, and 8 x 8 of each chroma plane, moved by the mean of the four
    2  where a vector leaves the picture, its edges are repeated outwards into a small square, and that is read instead
    3  a vector in half pixels has a whole part, which says where to read, and two halves, which choose one of four
       means: of the pixel alone, with its right neighbour, with the one below, with all three

          A  B      dxy 0: A     1: (A + B + bias) / 2     2: (A + C + bias) / 2
          C  D          3: (A + B + C + D + bias + 1) / 4              bias = 1 - vop_rounding_type

    4  a block that the codec did not predict (intra) is carried: read at its own place, as if it stood still

What 4 chooses is no part of the codec. With it a residual, frame - prediction, holds what changed there since the
reference; the codec's own reading (no prediction, all of the block is new) would leave nothing to subtract.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.video.colour import Picture, Plane
from cdkd.video.jit import jit
from cdkd.video.motion_blocks import MotionBlocks, x_of, y_of
from cdkd.video.row_operations import row_ops

PlaneBlocks = NDArray[np.int16]
"""(N, 5): top, left, side in pixels of a plane; x and y in half pixels, as the codec counts them."""

# ISO/IEC 14496-2, table 7-10: sixteenths of the sum of four half-pixel vectors, rounded for chroma.
_SIXTEENTHS = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2], np.int64)


@jit
def _predict_inner(
    source: Plane, top: Any, left: Any, side: Any, dxy: Any, bias: Any, out: Plane, y: Any, x: Any
) -> None:
    """3: one block whose pixels and their neighbours all exist, from `source` at (top, left) to `out` at (y, x)."""
    four, none = bias + np.uint64(1), np.uint64(0)
    # Written out for both sides and all four means: each is one vector instruction of fixed width, or a few.
    if side == 16:
        for row in range(np.uint64(16)):
            if dxy == 0:
                row_ops.copy_row_16(source, top + row, left, none, out, y + row, x)
            elif dxy == 1:
                row_ops.mean_right_16(source, top + row, left, bias, out, y + row, x)
            elif dxy == 2:
                row_ops.mean_down_16(source, top + row, left, bias, out, y + row, x)
            else:
                row_ops.mean_square_16(source, top + row, left, four, out, y + row, x)
    else:
        for row in range(np.uint64(8)):
            if dxy == 0:
                row_ops.copy_row_8(source, top + row, left, none, out, y + row, x)
            elif dxy == 1:
                row_ops.mean_right_8(source, top + row, left, bias, out, y + row, x)
            elif dxy == 2:
                row_ops.mean_down_8(source, top + row, left, bias, out, y + row, x)
            else:
                row_ops.mean_square_8(source, top + row, left, four, out, y + row, x)


@jit
def _repeat_edges(source: Plane, top: Any, left: Any, side: Any, out: Plane) -> None:
    """2: copies (side + 1) x (side + 1) pixels from (top, left) on, the picture's edges repeated outwards."""
    height, width = source.shape
    for row in range(side + 1):
        line = min(max(top + row, 0), height - 1)
        for column in range(side + 1):
            out[row, column] = source[line, min(max(left + column, 0), width - 1)]


@jit
def _predict_plane(blocks: PlaneBlocks, source: Plane, bias: int, out: Plane) -> None:
    height, width = source.shape
    # 17: a block of 16 and one more row and column.
    edge, none, rounding = np.empty((17, 17), np.uint8), np.uint64(0), np.uint64(bias)
    for index in range(blocks.shape[0]):
        top, left, side = np.int64(blocks[index, 0]), np.int64(blocks[index, 1]), np.int64(blocks[index, 2])
        x, y = np.int64(blocks[index, 3]), np.int64(blocks[index, 4])
        to_y, to_x, size = np.uint64(top), np.uint64(left), np.uint64(side)
        # The halves, which hold for negative vectors too: -3 half pixels are -2 whole ones and a half to the right.
        dxy = (x & 1) + 2 * (y & 1)
        top, left = top + (y >> 1), left + (x >> 1)
        # One more row and column than the block has: the means read the neighbours too.
        if top < 0 or left < 0 or top + side >= height or left + side >= width:
            _repeat_edges(source, top, left, side, edge)
            _predict_inner(edge, none, none, size, dxy, rounding, out, to_y, to_x)
        else:
            _predict_inner(source, np.uint64(top), np.uint64(left), size, dxy, rounding, out, to_y, to_x)


@jit
def _plane_blocks(blocks: MotionBlocks, sixteenths: NDArray[np.int64]) -> tuple[PlaneBlocks, PlaneBlocks]:
    """1: the blocks of luma and of chroma. Intra blocks have a motion of 0, which is 4."""
    rows, columns, count = blocks.shape[0] // 2, blocks.shape[1] // 2, 0
    luma, chroma = np.empty((4 * rows * columns, 5), np.int16), np.empty((rows * columns, 5), np.int16)
    for index in range(rows * columns):
        row, column = index // columns, index % columns
        # First whether the macroblock's four blocks move alike, then one block of luma or four; four that move alike
        # give the same prediction as one of 16 pixels.
        motion, total_x, total_y, is_split = blocks[2 * row, 2 * column], 0, 0, False
        for part in range(4):
            other = blocks[2 * row + (part >> 1), 2 * column + (part & 1)]
            # From quarter pixels to half pixels, and turned round: the codec's vectors point to the reference.
            total_x, total_y = total_x - (x_of(other) >> 1), total_y - (y_of(other) >> 1)
            is_split = is_split or other != motion
        for part in range(4 if is_split else 1):
            other, block = blocks[2 * row + (part >> 1), 2 * column + (part & 1)], luma[count]
            block[0], block[1] = 16 * row + 8 * (part >> 1), 16 * column + 8 * (part & 1)
            block[2] = 8 if is_split else 16
            block[3], block[4] = -(x_of(other) >> 1), -(y_of(other) >> 1)
            count += 1
        whole = chroma[index]
        whole[0], whole[1], whole[2] = 8 * row, 8 * column, 8
        # The sum of four luma vectors, over 4 for their mean and over 2 for half the resolution: sixteenths of a
        # chroma pixel, of which the whole ones count twice in half pixels and the rest is looked up.
        whole[3] = sixteenths[total_x & 15] + ((total_x >> 3) & ~1)
        whole[4] = sixteenths[total_y & 15] + ((total_y >> 3) & ~1)
    return luma[:count], chroma


def predict(blocks: MotionBlocks, reference: Picture, rounding: int) -> Picture:
    """What the codec predicts for a P-frame from `reference`, before the residual is added; intra blocks are carried.

    Args:
        blocks: (H / 8, W / 8) motions of whole half pixels, as `motion_blocks.py` describes them.
        reference: the frame before; its sides are multiples of 16, because the codec repeats the edges of whole
            macroblocks, and of others the decoder shows only a part.
        rounding: the frame's `vop_rounding_type`, 0 or 1.
    """
    y, u, v = (np.empty(plane.shape, np.uint8) for plane in reference.planes)
    luma, chroma = _plane_blocks(blocks, _SIXTEENTHS)
    _predict_plane(luma, reference.y, 1 - rounding, y)
    _predict_plane(chroma, reference.u, 1 - rounding, u)
    _predict_plane(chroma, reference.v, 1 - rounding, v)
    return Picture(y, u, v, reference.rule)
