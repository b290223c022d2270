"""YUV 4:2:0 planes become RGB by one fixed integer rule, so that equal planes give equal bytes everywhere.

FFmpeg's own converter picks other code (with other rounding) on other processors; here differences of two
pictures must be exact and a data set's bytes the same on every machine. The rule is BT.601, studio range
(what MPEG-4 Part 2 assumes when nothing else is said), 16-bit fixed point, each chroma sample used for its 2 x 2 pixels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cdkd.video.native import native

Plane = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """A decoded picture's planes: y (H, W), u and v (ceil(H / 2), ceil(W / 2)), all uint8 views."""

    y: Plane
    u: Plane
    v: Plane


@native
def _rgb(luma: int, u: int, v: int) -> tuple[int, int, int]:
    scaled = 76309 * (luma - 16) + 32768
    red = (scaled + 104597 * (v - 128)) >> 16
    green = (scaled - 25675 * (u - 128) - 53279 * (v - 128)) >> 16
    blue = (scaled + 132201 * (u - 128)) >> 16
    return min(max(red, 0), 255), min(max(green, 0), 255), min(max(blue, 0), 255)


@native
def _fill_rgb(y: Plane, u: Plane, v: Plane, out: NDArray[np.uint8]) -> None:
    for row in range(y.shape[0]):
        for column in range(y.shape[1]):
            red, green, blue = _rgb(
                np.int32(y[row, column]), np.int32(u[row >> 1, column >> 1]), np.int32(v[row >> 1, column >> 1])
            )
            out[row, column, 0] = red
            out[row, column, 1] = green
            out[row, column, 2] = blue


def to_rgb(picture: Picture, out: NDArray[np.uint8]) -> None:
    """Writes a picture's (H, W, 3) RGB into `out`."""
    _fill_rgb(picture.y, picture.u, picture.v, out)


@native
def _fill_difference(
    y1: Plane, u1: Plane, v1: Plane, y2: Plane, u2: Plane, v2: Plane, out: NDArray[np.int16]
) -> None:
    for row in range(y1.shape[0]):
        for column in range(y1.shape[1]):
            half_row, half_column = row >> 1, column >> 1
            red1, green1, blue1 = _rgb(
                np.int32(y1[row, column]), np.int32(u1[half_row, half_column]), np.int32(v1[half_row, half_column])
            )
            red2, green2, blue2 = _rgb(
                np.int32(y2[row, column]), np.int32(u2[half_row, half_column]), np.int32(v2[half_row, half_column])
            )
            out[row, column, 0] = red1 - red2
            out[row, column, 1] = green1 - green2
            out[row, column, 2] = blue1 - blue2


def rgb_difference(decoded: Picture, predicted: Picture, out: NDArray[np.int16]) -> None:
    """Writes rgb(decoded) - rgb(predicted) into `out` (H, W, 3), exactly and unclipped."""
    _fill_difference(decoded.y, decoded.u, decoded.v, predicted.y, predicted.u, predicted.v, out)
