"""Residuals: what the codec adds to its prediction, relative to the I-frame or to the frame before."""

import numpy as np
from numpy.typing import NDArray

from cdkd.modality import MOTION_UNITS_PER_PIXEL
from cdkd.video.colour import Picture, rgb_difference
from cdkd.video.motion import Field
from cdkd.video.native import native


def accumulated_residual(decoded: Picture, chain: Picture, out: NDArray[np.int16]) -> None:
    """Residual relative to the I-frame: rgb(decoded) - rgb(chain), exact to the bit.

    Args:
        decoded: frame t, fully decoded.
        chain: frame t of a decoder that leaves out the inverse transform of every P-frame since the I-frame
            (`skip_idct=nokey`): the I-frame carried along by the vectors, with the codec's own interpolation.
        out: (H, W, 3) RGB, not clipped.
    """
    rgb_difference(decoded, chain, out)


@native
def _warped_difference(
    decoded: NDArray[np.uint8], before: NDArray[np.uint8], field: Field, out: NDArray[np.int16], units: int
) -> None:
    height, width = decoded.shape[0], decoded.shape[1]
    half = units * units // 2
    for row in range(height):
        for column in range(width):
            x, y = column * units - np.int64(field[row, column, 0]), row * units - np.int64(field[row, column, 1])
            part_x, part_y = x % units, y % units
            left, top = min(max(x // units, 0), width - 1), min(max(y // units, 0), height - 1)
            right, bottom = min(max(x // units + 1, 0), width - 1), min(max(y // units + 1, 0), height - 1)
            for channel in range(3):
                upper = np.int64(before[top, left, channel]) * (units - part_x) + before[top, right, channel] * part_x
                lower = (
                    np.int64(before[bottom, left, channel]) * (units - part_x) + before[bottom, right, channel] * part_x
                )
                predicted = (upper * (units - part_y) + lower * part_y + half) // (units * units)
                out[row, column, channel] = np.int64(decoded[row, column, channel]) - predicted


def frame_residual(
    decoded: NDArray[np.uint8], before: NDArray[np.uint8], field: Field, out: NDArray[np.int16]
) -> None:
    """Residual relative to the frame before, warped by its sub-pel vectors with bilinear interpolation.

    Args:
        decoded: (H, W, 3) RGB frame t.
        before: (H, W, 3) RGB frame t-1.
        field: (H, W, 2) per-frame motion m_t.
        out: (H, W, 3) RGB, not clipped.
    """
    _warped_difference(decoded, before, field, out, MOTION_UNITS_PER_PIXEL)
