"""MPEG-4 Part 2's half-pixel motion compensation, to the bit: a reference picture becomes a prediction.

The second decoder of `residual.py` predicts from predictions, back to the I-frame. The residual relative to the
frame before needs the prediction from that frame *as decoded*, which no decoder hands out, so it is built here.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.video.colour import Picture, Plane
from cdkd.video.native import native

# ISO/IEC 14496-2, table 7-10: sixteenths of the sum of four half-pixel vectors, rounded for chroma.
_SIXTEENTHS = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2], np.int64)


@native
def _predict_block(reference: Plane, top: int, left: int, side: int, x: Any, y: Any, rounding: int, out: Plane) -> None:
    """A side x side block from half-pixel position (left + x / 2, top + y / 2), edges repeated outwards."""
    height, width = reference.shape
    step_x, step_y = x & 1, y & 1
    for row in range(top, min(top + side, height)):
        upper = min(max(row + (y >> 1), 0), height - 1)
        lower = min(max(row + (y >> 1) + step_y, 0), height - 1)
        for column in range(left, min(left + side, width)):
            first = min(max(column + (x >> 1), 0), width - 1)
            second = min(max(column + (x >> 1) + step_x, 0), width - 1)
            total = np.int64(reference[upper, first]) + reference[upper, second]
            if step_y:
                total += np.int64(reference[lower, first]) + reference[lower, second]
            if step_x and step_y:
                out[row, column] = (total + 2 - rounding) >> 2
            elif step_y:
                out[row, column] = (total // 2 + 1 - rounding) >> 1
            else:
                out[row, column] = (total + 1 - rounding) >> 1


@native
def _predict_planes(
    vectors: Any, reference: Any, decoded: Any, rounding: int, sixteenths: NDArray[np.int64], out: Any
) -> None:
    for plane in range(3):
        out[plane][:] = decoded[plane]
    luma, reference_luma = out[0], reference[0]
    rows, columns = (luma.shape[0] + 15) // 16, (luma.shape[1] + 15) // 16
    sums = np.zeros((rows, columns, 3), np.int64)
    for index in range(vectors.shape[0]):
        vector = vectors[index]
        left, top = np.int64(vector.dst_x) - vector.w // 2, np.int64(vector.dst_y) - vector.h // 2
        x, y = np.int64(vector.motion_x), np.int64(vector.motion_y)
        _predict_block(reference_luma, top, left, vector.w, x, y, rounding, luma)
        share = 4 if vector.w == 16 else 1
        sums[top // 16, left // 16, 0] += share * x
        sums[top // 16, left // 16, 1] += share * y
        sums[top // 16, left // 16, 2] += share
    for row in range(rows):
        for column in range(columns):
            if sums[row, column, 2] == 4:
                x, y = sums[row, column, 0], sums[row, column, 1]
                x, y = sixteenths[x & 15] + ((x >> 3) & ~1), sixteenths[y & 15] + ((y >> 3) & ~1)
                for plane in range(1, 3):
                    _predict_block(reference[plane], 8 * row, 8 * column, 8, x, y, rounding, out[plane])


def predict(vectors: NDArray[Any], reference: Picture, decoded: Picture, rounding: int) -> Picture:
    """What the codec predicts for a P-frame from its reference as decoded, before the residual is added.

    Blocks without a vector (intra) have no prediction; they hold the decoded pixels, so that their residual is 0,
    which is also what the chained prediction shows there.

    Args:
        vectors: (N,) `VECTOR_TYPE` in half pixels (motion_scale 2), blocks of 16 x 16 or 8 x 8.
        reference: the frame before; sides multiples of 16, as the codec repeats the edges of whole macroblocks.
        decoded: the frame itself.
        rounding: the frame's `vop_rounding_type`, 0 or 1.
    """
    y, u, v = (np.empty(plane.shape, np.uint8) for plane in (decoded.y, decoded.u, decoded.v))
    _predict_planes(
        vectors,
        (reference.y, reference.u, reference.v),
        (decoded.y, decoded.u, decoded.v),
        rounding,
        _SIXTEENTHS,
        (y, u, v),
    )
    return Picture(y, u, v, decoded.rule)
