"""MPEG-4 Part 2's half-pixel motion compensation, to the bit: a reference picture becomes a prediction.

From the reference as decoded this is what the codec predicted; chained, prediction from prediction, it carries the
I-frame along the GOP. FFmpeg hands out neither. (A decoder with `skip_idct=nokey` shows the chain too, at the price
of a second decoding; `residual.py` falls back on it, and the tests compare the two.)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.video.colour import Picture, Plane
from cdkd.video.jit import native
from cdkd.video.motion_blocks import BARE, Cells, x_of, y_of
from cdkd.video.simd import (
    copy_row_8,
    copy_row_16,
    mean_down_8,
    mean_down_16,
    mean_right_8,
    mean_right_16,
    mean_square_8,
    mean_square_16,
)

# ISO/IEC 14496-2, table 7-10: sixteenths of the sum of four half-pixel vectors, rounded for chroma.
_SIXTEENTHS = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2], np.int64)


@native
def _predict_inner(
    source: Plane, top: Any, left: Any, side: Any, dxy: Any, bias: Any, out: Plane, y: Any, x: Any
) -> None:
    """One block whose pixels and their neighbours all exist, from `source` at (top, left) to `out` at (y, x)."""
    four, none = bias + np.uint64(1), np.uint64(0)
    if side == 16:
        for row in range(np.uint64(16)):
            if dxy == 0:
                copy_row_16(source, top + row, left, none, out, y + row, x)
            elif dxy == 1:
                mean_right_16(source, top + row, left, bias, out, y + row, x)
            elif dxy == 2:
                mean_down_16(source, top + row, left, bias, out, y + row, x)
            else:
                mean_square_16(source, top + row, left, four, out, y + row, x)
    else:
        for row in range(np.uint64(8)):
            if dxy == 0:
                copy_row_8(source, top + row, left, none, out, y + row, x)
            elif dxy == 1:
                mean_right_8(source, top + row, left, bias, out, y + row, x)
            elif dxy == 2:
                mean_down_8(source, top + row, left, bias, out, y + row, x)
            else:
                mean_square_8(source, top + row, left, four, out, y + row, x)


@native
def _repeat_edges(source: Plane, top: Any, left: Any, side: Any, out: Plane) -> None:
    """Copies (side + 1) x (side + 1) pixels from (top, left) on, the picture's edges repeated outwards."""
    height, width = source.shape
    for row in range(side + 1):
        line = min(max(top + row, 0), height - 1)
        for column in range(side + 1):
            out[row, column] = source[line, min(max(left + column, 0), width - 1)]


@native
def _predict_plane(blocks: NDArray[np.int16], source: Plane, decoded: Plane, bias: int, out: Plane) -> None:
    height, width = source.shape
    edge, none, rounding = np.empty((17, 17), np.uint8), np.uint64(0), np.uint64(bias)
    for index in range(blocks.shape[0]):
        top, left, side = np.int64(blocks[index, 0]), np.int64(blocks[index, 1]), np.int64(blocks[index, 2])
        x, y, is_intra = np.int64(blocks[index, 3]), np.int64(blocks[index, 4]), blocks[index, 5]
        to_y, to_x, size = np.uint64(top), np.uint64(left), np.uint64(side)
        if is_intra:
            _predict_inner(decoded, to_y, to_x, size, 0, rounding, out, to_y, to_x)
            continue
        dxy = (x & 1) + 2 * (y & 1)
        top, left = top + (y >> 1), left + (x >> 1)
        if top < 0 or left < 0 or top + side >= height or left + side >= width:
            _repeat_edges(source, top, left, side, edge)
            _predict_inner(edge, none, none, size, dxy, rounding, out, to_y, to_x)
        else:
            _predict_inner(source, np.uint64(top), np.uint64(left), size, dxy, rounding, out, to_y, to_x)


@native
def _list_blocks(cells: Cells, sixteenths: NDArray[np.int64]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Blocks of luma and of chroma: top, left, side, x and y in half pixels as the codec counts them, whether intra."""
    rows, columns, count = cells.shape[0] // 2, cells.shape[1] // 2, 0
    luma, chroma = np.empty((4 * rows * columns, 6), np.int16), np.empty((rows * columns, 6), np.int16)
    for index in range(rows * columns):
        row, column = index // columns, index % columns
        motion, total_x, total_y, is_split = cells[2 * row, 2 * column], 0, 0, False
        is_bare = motion == BARE
        for part in range(4):
            other = cells[2 * row + (part >> 1), 2 * column + (part & 1)]
            total_x, total_y = total_x - (x_of(other) >> 1), total_y - (y_of(other) >> 1)
            is_split = is_split or other != motion
        for part in range(4 if is_split else 1):
            other, block = cells[2 * row + (part >> 1), 2 * column + (part & 1)], luma[count]
            block[0], block[1], block[2] = (
                16 * row + 8 * (part >> 1),
                16 * column + 8 * (part & 1),
                8 if is_split else 16,
            )
            block[3], block[4], block[5] = -(x_of(other) >> 1), -(y_of(other) >> 1), is_bare
            count += 1
        whole = chroma[index]
        whole[0], whole[1], whole[2], whole[5] = 8 * row, 8 * column, 8, is_bare
        whole[3] = sixteenths[total_x & 15] + ((total_x >> 3) & ~1)
        whole[4] = sixteenths[total_y & 15] + ((total_y >> 3) & ~1)
    return luma[:count], chroma


def predict(cells: Cells, reference: Picture, decoded: Picture, rounding: int) -> Picture:
    """What the codec predicts for a P-frame from `reference`, before the residual is added.

    Cells without a vector (intra) have no prediction; they hold the decoded pixels, so that their residual is 0.

    Args:
        cells: (H / 8, W / 8) motions of whole half pixels, as `cells.py` describes them.
        reference: the frame before; its sides are multiples of 16, because the codec repeats the edges of whole
            macroblocks, and of others the decoder shows only a part.
        decoded: the frame itself.
        rounding: the frame's `vop_rounding_type`, 0 or 1.
    """
    y, u, v = (np.empty(plane.shape, np.uint8) for plane in decoded.planes)
    luma, chroma = _list_blocks(cells, _SIXTEENTHS)
    _predict_plane(luma, reference.y, decoded.y, 1 - rounding, y)
    _predict_plane(chroma, reference.u, decoded.u, 1 - rounding, u)
    _predict_plane(chroma, reference.v, decoded.v, 1 - rounding, v)
    return Picture(y, u, v, decoded.rule)
