"""MPEG-4 Part 2's half-pixel motion compensation, to the bit: a reference picture becomes a prediction.

From the reference as decoded this is what the codec predicted; chained, prediction from prediction, it carries the
I-frame along the GOP. FFmpeg hands out neither. (A decoder with `skip_idct=nokey` shows the chain too, at the price
of a second decoding; `residual.py` falls back on it, and the tests compare the two.)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.video.colour import Picture, Plane
from cdkd.video.native import native

# ISO/IEC 14496-2, table 7-10: sixteenths of the sum of four half-pixel vectors, rounded for chroma.
_SIXTEENTHS = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2], np.int64)


@native
def _predict_inner(source: Plane, top: Any, left: Any, side: Any, dxy: int, bias: Any, out: Plane) -> None:
    """One block whose pixels and their neighbours all exist, so that no index needs a check.

    Unsigned numbers throughout: with signed ones numba tests every index for being negative.
    """
    one, two = np.uint64(1), np.uint64(2)
    for row in range(side):
        y = top + row
        if dxy == 0:
            for column in range(side):
                out[row, column] = source[y, left + column]
        elif dxy == 1:
            for column in range(side):
                x = left + column
                out[row, column] = (np.uint64(source[y, x]) + np.uint64(source[y, x + one]) + bias) >> one
        elif dxy == 2:
            for column in range(side):
                x = left + column
                out[row, column] = (np.uint64(source[y, x]) + np.uint64(source[y + one, x]) + bias) >> one
        else:
            for column in range(side):
                x = left + column
                upper = np.uint64(source[y, x]) + np.uint64(source[y, x + one])
                lower = np.uint64(source[y + one, x]) + np.uint64(source[y + one, x + one])
                out[row, column] = (upper + lower + bias + one) >> two


@native
def _predict_edge(source: Plane, top: int, left: int, dxy: int, bias: int, out: Plane) -> None:
    """The same with the picture's edges repeated outwards."""
    height, width = source.shape
    for row in range(out.shape[0]):
        upper = min(max(top + row, 0), height - 1)
        lower = min(max(top + row + (dxy >> 1), 0), height - 1)
        for column in range(out.shape[1]):
            first = min(max(left + column, 0), width - 1)
            second = min(max(left + column + (dxy & 1), 0), width - 1)
            total = np.int64(source[upper, first]) + source[upper, second]
            total += np.int64(source[lower, first]) + source[lower, second]
            # Without a half step in a direction both its pixels are the same one, and the sum has a factor of 2.
            if dxy == 3:
                out[row, column] = (total + bias + 1) >> 2
            elif dxy == 0:
                out[row, column] = total >> 2
            else:
                out[row, column] = ((total >> 1) + bias) >> 1


@native
def _predict_plane(blocks: NDArray[np.int64], source: Plane, decoded: Plane, bias: int, out: Plane) -> None:
    """`out` holds a copy of `source` on entry, so that still blocks need no work."""
    height, width = source.shape
    for index in range(blocks.shape[0]):
        top, left, side, x, y, is_intra = blocks[index]
        if is_intra:
            out[top : top + side, left : left + side] = decoded[top : top + side, left : left + side]
        elif x != 0 or y != 0:
            target = out[top : top + side, left : left + side]
            dxy = (x & 1) + 2 * (y & 1)
            top, left = top + (y >> 1), left + (x >> 1)
            if top < 0 or left < 0 or top + side >= height or left + side >= width:
                _predict_edge(source, top, left, dxy, bias, target)
            else:
                _predict_inner(source, np.uint64(top), np.uint64(left), np.uint64(side), dxy, np.uint64(bias), target)


@native
def _list_blocks(
    vectors: Any, rows: int, columns: int, sixteenths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Blocks of luma and of chroma: top, left, side, x and y in half pixels, whether intra."""
    num_vectors = vectors.shape[0]
    luma = np.zeros((num_vectors + rows * columns, 6), np.int64)
    chroma = np.zeros((rows * columns, 6), np.int64)
    for index in range(num_vectors):
        vector, block = vectors[index], luma[index]
        side, x, y = np.int64(vector.w), np.int64(vector.motion_x), np.int64(vector.motion_y)
        top, left = np.int64(vector.dst_y) - side // 2, np.int64(vector.dst_x) - side // 2
        block[0], block[1], block[2], block[3], block[4] = top, left, side, x, y
        share = 4 if side == 16 else 1
        whole = chroma[(top // 16) * columns + left // 16]
        whole[2] = 8
        whole[3] += share * x
        whole[4] += share * y
    count = num_vectors
    for index in range(rows * columns):
        block = chroma[index]
        block[5] = block[2] == 0
        block[0], block[1], block[2] = 8 * (index // columns), 8 * (index % columns), 8
        for axis in range(3, 5):
            block[axis] = sixteenths[block[axis] & 15] + ((block[axis] >> 3) & ~1)
        if block[5]:
            whole = luma[count]
            whole[0], whole[1], whole[2], whole[5] = 2 * block[0], 2 * block[1], 16, 1
            count += 1
    return luma[:count], chroma


def predict(vectors: NDArray[Any], reference: Picture, decoded: Picture, rounding: int) -> Picture:
    """What the codec predicts for a P-frame from `reference`, before the residual is added.

    Blocks without a vector (intra) have no prediction; they hold the decoded pixels, so that their residual is 0.

    Args:
        vectors: (N,) `VECTOR_TYPE` in half pixels (motion_scale 2), blocks of 16 x 16 or 8 x 8.
        reference: the frame before; its sides are multiples of 16, because the codec repeats the edges of whole
            macroblocks, and of others the decoder shows only a part.
        decoded: the frame itself.
        rounding: the frame's `vop_rounding_type`, 0 or 1.
    """
    height, width = decoded.y.shape
    luma, chroma = _list_blocks(vectors, height // 16, width // 16, _SIXTEENTHS)
    predicted = []
    for blocks, name in ((luma, "y"), (chroma, "u"), (chroma, "v")):
        source = getattr(reference, name)
        predicted.append(source.copy())
        _predict_plane(blocks, source, getattr(decoded, name), 1 - rounding, predicted[-1])
    return Picture(predicted[0], predicted[1], predicted[2], decoded.rule)
