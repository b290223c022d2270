"""YUV 4:2:0 planes become RGB by one fixed integer rule, so that equal planes give equal bytes everywhere.

FFmpeg's own converter picks other code, with other rounding, on other processors; here differences of two
pictures must be exact. The rule is 13-bit fixed point, each chroma sample used for its 2 x 2 pixels:

    channel = clamp((luma * (Y - black) + u * (U - 128) + v * (V - 128) + 4096) >> 13)

All of it is computed in float32, which compilers turn into wide instructions: every product and sum is a multiple
of 1 / 8192 below 2048, hence exact, whatever the order of operations.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdkd.video.memory import empty_array
from cdkd.video.native import native

Plane = NDArray[np.uint8]

# A channel-last view of memory that lies channel by channel: loops run along rows, and networks want that order.
Image = NDArray[np.uint8]


class ColourRule(NamedTuple):
    """Black level and the factors in 1/8192; u's for red is 0, v's for blue too."""

    black: int
    luma: int
    red_v: int
    green_u: int
    green_v: int
    blue_u: int


STUDIO_601 = ColourRule(16, 9539, 13075, -3209, -6660, 16525)
FULL_601 = ColourRule(0, 8192, 11485, -2819, -5850, 14516)
STUDIO_709 = ColourRule(16, 9539, 14686, -1747, -4366, 17305)
FULL_709 = ColourRule(0, 8192, 12901, -1535, -3835, 15201)

# FFmpeg's AVCOL_SPC_BT709 and AVCOL_RANGE_JPEG; untagged video is read as MPEG-4 Part 2 prescribes, 601 studio.
_SPACE_709, _RANGE_FULL = 1, 2


@dataclass(frozen=True)
class Picture:
    """A decoded picture's planes: y (H, W), u and v (ceil(H / 2), ceil(W / 2)), all uint8, and how to read them."""

    y: Plane
    u: Plane
    v: Plane
    rule: ColourRule = STUDIO_601


def picture_of(frame: Any) -> Picture:
    """The planes of a decoded 4:2:0 frame of FFmpeg, without copying."""
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        planes.append(rows[: plane.height, : plane.width])
    is_full = frame.color_range == _RANGE_FULL or frame.format.name == "yuvj420p"
    if frame.colorspace == _SPACE_709:
        rule = FULL_709 if is_full else STUDIO_709
    else:
        rule = FULL_601 if is_full else STUDIO_601
    return Picture(planes[0], planes[1], planes[2], rule)


def empty_images(count: int, height: int, width: int, channels: int, kind: Any) -> NDArray[Any]:
    """An uninitialised (count, height, width, channels) array whose memory lies channel by channel."""
    return empty_array((count, channels, height, width), kind).transpose(0, 2, 3, 1)


@native
def _chroma_terms(u: Plane, v: Plane, rule: ColourRule, half: Any, full: Any) -> None:
    """One row's chroma part of red, green and blue, rounding included, at full width.

    Args:
        half: (3, W / 2) float32 scratch.
        full: (3, W) float32 output.
    """
    scale = np.float32(1 / 8192)
    red, green, blue = half[0], half[1], half[2]
    for index in range(u.shape[0]):
        part_u = (np.float32(u[index]) - np.float32(128)) * scale
        part_v = (np.float32(v[index]) - np.float32(128)) * scale
        red[index] = np.float32(rule.red_v) * part_v + np.float32(0.5)
        green[index] = np.float32(rule.green_u) * part_u + np.float32(rule.green_v) * part_v + np.float32(0.5)
        blue[index] = np.float32(rule.blue_u) * part_u + np.float32(0.5)
    # Each value twice, as two halves of a 64-bit number: a loop that writes every other number is not vectorised.
    bits, pairs = half.view(np.uint32), full.view(np.uint64)
    for channel in range(3):
        for index in range(u.shape[0]):
            value = np.uint64(bits[channel, index])
            pairs[channel, index] = value | (value << np.uint64(32))


@native
def _luma_terms(luma: Plane, rule: ColourRule, out: Any) -> None:
    factor, black = np.float32(rule.luma / 8192), np.float32(rule.black)
    for column in range(luma.shape[0]):
        out[column] = factor * (np.float32(luma[column]) - black)


@native
def _rgb_rows(y: Plane, u: Plane, v: Plane, rule: ColourRule, out: Plane) -> None:
    height, width = y.shape
    half, chroma = np.empty((3, u.shape[1]), np.float32), np.empty((3, 2 * u.shape[1]), np.float32)
    luma = np.empty(width, np.float32)
    for row in range(height):
        if row % 2 == 0:
            _chroma_terms(u[row // 2], v[row // 2], rule, half, chroma)
        _luma_terms(y[row], rule, luma)
        for channel in range(3):
            target, term = out[channel, row], chroma[channel]
            for column in range(width):
                value = np.int32(luma[column] + term[column])
                target[column] = np.uint8(min(max(value, np.int32(0)), np.int32(255)))


def to_rgb(picture: Picture, out: Image) -> None:
    """Writes a picture's RGB into `out` (H, W, 3), memory as `empty_images` lays it."""
    _rgb_rows(picture.y, picture.u, picture.v, picture.rule, out.transpose(2, 0, 1))


@native
def _difference_rows(
    y1: Plane, u1: Plane, v1: Plane, y2: Plane, u2: Plane, v2: Plane, rule: ColourRule, out: NDArray[np.int16]
) -> None:
    height, width = y1.shape
    half = np.empty((3, u1.shape[1]), np.float32)
    chroma1, chroma2 = np.empty((3, 2 * u1.shape[1]), np.float32), np.empty((3, 2 * u1.shape[1]), np.float32)
    luma1, luma2 = np.empty(width, np.float32), np.empty(width, np.float32)
    for row in range(height):
        if row % 2 == 0:
            _chroma_terms(u1[row // 2], v1[row // 2], rule, half, chroma1)
            _chroma_terms(u2[row // 2], v2[row // 2], rule, half, chroma2)
        _luma_terms(y1[row], rule, luma1)
        _luma_terms(y2[row], rule, luma2)
        for channel in range(3):
            target, term1, term2 = out[channel, row], chroma1[channel], chroma2[channel]
            for column in range(width):
                first, second = np.int32(luma1[column] + term1[column]), np.int32(luma2[column] + term2[column])
                first = min(max(first, np.int32(0)), np.int32(255))
                target[column] = np.int16(first - min(max(second, np.int32(0)), np.int32(255)))


def rgb_difference(decoded: Picture, predicted: Picture, out: NDArray[np.int16]) -> None:
    """Writes rgb(decoded) - rgb(predicted) into `out` (H, W, 3), exactly and unclipped."""
    planes = (decoded.y, decoded.u, decoded.v, predicted.y, predicted.u, predicted.v)
    _difference_rows(*planes, decoded.rule, out.transpose(2, 0, 1))
