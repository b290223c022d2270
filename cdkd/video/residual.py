"""Residuals: what remains of a frame when its prediction is taken away.

    relative to        MPEG-4 Part 2, exact to the bit                 H.264
    the I-frame        full decode - decode with `skip_idct=nokey`     frame - I-frame warped by accumulated motion
    the frame before   full decode - half-pixel motion compensation    frame - frame before warped by its motion

`skip_idct=nokey` leaves out the inverse transform of every P-frame, so that such a decoder carries the I-frame along
by the vectors alone, with the codec's own interpolation. H.264 ignores it; there the warp is bilinear. In blocks that
MPEG-4 codes without prediction (intra) that decoder shows the decoded pixels, so the residual is 0 there.
"""

import numpy as np
from numpy.typing import NDArray

from cdkd.modality import MOTION_UNITS_PER_PIXEL
from cdkd.video.colour import Image
from cdkd.video.motion import Field
from cdkd.video.native import native


@native
def _warped_difference(decoded: Image, reference: Image, field: Field, units: int, out: NDArray[np.int16]) -> None:
    height, width = decoded.shape[0], decoded.shape[1]
    for row in range(height):
        for column in range(width):
            x, y = column * units - np.int64(field[0, row, column]), row * units - np.int64(field[1, row, column])
            part_x, part_y = x % units, y % units
            left, right = min(max(x // units, 0), width - 1), min(max(x // units + 1, 0), width - 1)
            top, bottom = min(max(y // units, 0), height - 1), min(max(y // units + 1, 0), height - 1)
            for channel in range(3):
                upper = (units - part_x) * np.int64(reference[top, left, channel])
                upper += part_x * np.int64(reference[top, right, channel])
                lower = (units - part_x) * np.int64(reference[bottom, left, channel])
                lower += part_x * np.int64(reference[bottom, right, channel])
                total = (units - part_y) * upper + part_y * lower
                predicted = (total + units * units // 2) // (units * units)
                out[row, column, channel] = np.int64(decoded[row, column, channel]) - predicted


def warped_residual(decoded: Image, reference: Image, field: Field, out: NDArray[np.int16]) -> None:
    """H.264: decoded - reference(x - field(x)), bilinear, edges repeated outwards.

    Args:
        decoded: (H, W, 3) RGB.
        reference: (H, W, 3) RGB: the I-frame or the frame before, whichever `field` points to.
        field: (2, H, W) quarter pixels.
        out: (H, W, 3) RGB, not clipped.
    """
    _warped_difference(decoded, reference, field, MOTION_UNITS_PER_PIXEL, out)
