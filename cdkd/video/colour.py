"""YUV 4:2:0 planes become RGB by one fixed integer rule, so that equal planes give equal bytes everywhere.

FFmpeg's own converter picks other code, with other rounding, on other processors; here differences of two
pictures must be exact. The rule is 13-bit fixed point, each chroma sample used for its 2 x 2 pixels:

    channel = clamp((luma * (Y - black) + u * (U - 128) + v * (V - 128) + 4096) >> 13)

    1  for every other row, the chroma part of each channel, u, v and rounding summed up, is written out at full width
    2  each row of luma then adds its own part, 32 pixels at a time (`simd_colour.py`), and stores three channels

A difference of two pictures takes both through 1 and 2 at once and stores what is between them: neither picture's RGB
is written to memory, which would be two thirds of the traffic.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdkd.video.jit import jit
from cdkd.video.memory import empty_array
from cdkd.video.plain import PIXELS, level
from cdkd.video.row_operations import colour_ops

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

    @property
    def planes(self) -> tuple[Plane, Plane, Plane]:
        """y, u, v."""
        return self.y, self.u, self.v


def picture_of(frame: Any) -> Picture:
    """The planes of a decoded 4:2:0 frame of FFmpeg, without copying."""
    # FFmpeg pads its rows, so they are longer than the picture is wide; strides leave the padding out.
    y, u, v = (
        np.ndarray((plane.height, plane.width), np.uint8, plane, strides=(plane.line_size, 1)) for plane in frame.planes
    )
    # Old encoders say it by the format's name alone.
    is_full = frame.color_range == _RANGE_FULL or frame.format.name == "yuvj420p"
    if frame.colorspace == _SPACE_709:
        rule = FULL_709 if is_full else STUDIO_709
    else:
        rule = FULL_601 if is_full else STUDIO_601
    return Picture(y, u, v, rule)


def empty_images(count: int, height: int, width: int, channels: int, kind: Any) -> NDArray[Any]:
    """An uninitialised (count, height, width, channels) array whose memory lies channel by channel."""
    return empty_array((count, channels, height, width), kind).transpose(0, 2, 3, 1)


@jit
def _chroma_terms(u: Plane, v: Plane, row: int, rule: ColourRule, pairs: Any) -> None:
    """1: one row's chroma part of red, green and blue, rounding included.

    Args:
        row: of the half-size planes.
        pairs: (6, ceil(W / 2)) uint32 output: each value twice, as the two halves of a number, because a loop that
            writes every other number is not vectorised. Values in multiples of 8192, then the rests.
    """
    rest = np.int32(8191)
    for channel in range(3):
        factor_u = np.float32(0 if channel == 0 else (rule.green_u if channel == 1 else rule.blue_u))
        factor_v = np.float32(rule.red_v if channel == 0 else (rule.green_v if channel == 1 else 0))
        # The 128 that chroma is centred on and the half for rounding, both once per row instead of once per pixel.
        offset = np.float32(4096) - np.float32(128) * (factor_u + factor_v)
        for index in range(u.shape[1]):
            # Exact in float32, as every term is a whole number below 2 to the 24th.
            term = np.int32(factor_u * np.float32(u[row, index]) + factor_v * np.float32(v[row, index]) + offset)
            upper, lower = np.uint32(np.uint16(term >> 13)), np.uint32(term & rest)
            pairs[channel, index] = upper | (upper << np.uint32(16))
            pairs[3 + channel, index] = lower | (lower << np.uint32(16))


@jit
def _rgb_rows(y: Plane, u: Plane, v: Plane, rule: ColourRule, out: Plane) -> None:
    height, width = y.shape
    pairs = np.empty((6, u.shape[1]), np.uint32)
    chroma = pairs.view(np.int16)
    black, factor, tall = np.uint64(rule.black), np.uint64(rule.luma), np.uint64(height)
    for row in range(height):
        # 1: two rows of luma share one of chroma
        if row % 2 == 0:
            _chroma_terms(u, v, row // 2, rule, pairs)
        # 2: narrower pictures have no 32 pixels side by side
        if width < PIXELS:
            for column in range(width):
                luma = rule.luma * (np.int64(y[row, column]) - rule.black)
                for channel in range(3):
                    out[channel * height + row, column] = level(luma, chroma, channel, column)
        else:
            for start in range(0, width, PIXELS):
                # The last ones overlap those before, if the width is no multiple.
                place = np.uint64(min(start, width - PIXELS))
                colour_ops.rgb_32(y, np.uint64(row), chroma, place, black, factor, out, tall)


def to_rgb(picture: Picture, out: Image) -> None:
    """Writes a picture's RGB into `out` (H, W, 3), memory as `empty_images` lays it."""
    _rgb_rows(picture.y, picture.u, picture.v, picture.rule, _stacked(out))


def new_rgb(picture: Picture) -> Image:
    """A picture's RGB, (H, W, 3)."""
    image: Image = empty_images(1, picture.y.shape[0], picture.y.shape[1], 3, np.uint8)[0]
    to_rgb(picture, image)
    return image


def _stacked(out: NDArray[Any]) -> NDArray[Any]:
    """An (H, W, 3) image, memory as `empty_images` lays it, seen as (3 * H, W)."""
    channels = out.transpose(2, 0, 1)
    if not channels.flags.c_contiguous:
        # Reshaping would make a copy, and what is written to that would be lost.
        raise ValueError(f"the memory of an image has to lie channel by channel; its strides are {out.strides}")
    return channels.reshape(-1, out.shape[1])


@jit
def _difference_rows(
    y1: Plane, u1: Plane, v1: Plane, y2: Plane, u2: Plane, v2: Plane, rule: ColourRule, out: NDArray[np.int16]
) -> None:
    height, width = y1.shape
    pairs1, pairs2 = np.empty((6, u1.shape[1]), np.uint32), np.empty((6, u1.shape[1]), np.uint32)
    chroma1, chroma2 = pairs1.view(np.int16), pairs2.view(np.int16)
    black, factor, tall = np.uint64(rule.black), np.uint64(rule.luma), np.uint64(height)
    for row in range(height):
        if row % 2 == 0:
            _chroma_terms(u1, v1, row // 2, rule, pairs1)
            _chroma_terms(u2, v2, row // 2, rule, pairs2)
        if width < PIXELS:
            for column in range(width):
                luma1 = rule.luma * (np.int64(y1[row, column]) - rule.black)
                luma2 = rule.luma * (np.int64(y2[row, column]) - rule.black)
                for channel in range(3):
                    first, second = level(luma1, chroma1, channel, column), level(luma2, chroma2, channel, column)
                    out[channel * height + row, column] = first - second
        else:
            line = np.uint64(row)
            for start in range(0, width, PIXELS):
                place = np.uint64(min(start, width - PIXELS))
                colour_ops.difference_32(y1, chroma1, y2, chroma2, line, place, black, factor, out, tall)


def rgb_difference(decoded: Picture, predicted: Picture, out: NDArray[np.int16]) -> None:
    """Writes rgb(decoded) - rgb(predicted) into `out` (H, W, 3), exactly and unclipped."""
    _difference_rows(*decoded.planes, *predicted.planes, decoded.rule, _stacked(out))
