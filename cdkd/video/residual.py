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
from cdkd.video.colour import Image, Picture, empty_images, rgb_difference, to_rgb
from cdkd.video.decoding import DecodedFrame
from cdkd.video.jit import native
from cdkd.video.motion import Field
from cdkd.video.motion_blocks import UNIT_BITS, Cells
from cdkd.video.prediction import predict


@native
def _warped_difference(decoded: Image, reference: Image, field: Field, out: NDArray[np.int16]) -> None:
    """All channel by channel, (3, H, W); `field` in quarter pixels."""
    _, height, width = decoded.shape
    bits, last = UNIT_BITS, MOTION_UNITS_PER_PIXEL - 1
    for row in range(height):
        for column in range(width):
            x = (column << bits) - np.int64(field[0, row, column])
            y = (row << bits) - np.int64(field[1, row, column])
            left, right = min(max(x >> bits, 0), width - 1), min(max((x >> bits) + 1, 0), width - 1)
            top, bottom = min(max(y >> bits, 0), height - 1), min(max((y >> bits) + 1, 0), height - 1)
            right_part, bottom_part = x & last, y & last
            # Unsigned places are not looked at for being counted from the end.
            to_y, to_x, from_left, from_right = np.uint64(row), np.uint64(column), np.uint64(left), np.uint64(right)
            from_top, from_bottom = np.uint64(top), np.uint64(bottom)
            for channel in range(np.uint64(3)):
                upper = (last + 1 - right_part) * np.int64(reference[channel, from_top, from_left])
                upper += right_part * np.int64(reference[channel, from_top, from_right])
                lower = (last + 1 - right_part) * np.int64(reference[channel, from_bottom, from_left])
                lower += right_part * np.int64(reference[channel, from_bottom, from_right])
                total = (last + 1 - bottom_part) * upper + bottom_part * lower
                predicted = (total + (1 << (2 * bits - 1))) >> (2 * bits)
                out[channel, to_y, to_x] = np.int64(decoded[channel, to_y, to_x]) - predicted


class PredictedResidual:
    """MPEG-4's residuals along a GOP, to the bit."""

    def __init__(self, roundings: str, is_chained: bool, out: NDArray[np.int16]) -> None:
        """
        Args:
            roundings: `vop_rounding_type` of each of the GOP's frames, 0 or 1.
            is_chained: relative to the I-frame; else to the frame before.
            out: (P, H, W, 3) RGB, not clipped.
        """
        self._roundings = roundings
        self._is_chained = is_chained
        self._out = out
        self._origin: Picture | None = None

    def advance(self, frame: DecodedFrame, cells: Cells, position: int, slot: int) -> None:
        """Takes the GOP's next frame and leaves its residual in `out[slot]`; -1: it is not wanted."""
        if frame.letter not in "IP":
            return
        picture = frame.picture()
        if self._origin is None:
            self._origin = picture
        elif self._is_chained or slot >= 0:
            predicted = frame.chain() or predict(cells, self._origin, picture, int(self._roundings[position]))
            if slot >= 0:
                rgb_difference(picture, predicted, self._out[slot])
            # Chained: predicted from the frame before as predicted itself, back to the I-frame.
            self._origin = predicted
        if not self._is_chained:
            self._origin = picture

    def finish(self) -> None:
        """Nothing is left to do."""


class WarpedResidual:
    """H.264's residuals along a GOP: frame - reference(x - motion(x)), bilinear, edges repeated outwards."""

    def __init__(self, iframe: Image | None, motion: NDArray[np.int16], out: NDArray[np.int16]) -> None:
        """
        Args:
            iframe: (H, W, 3) RGB, the reference of all; None: the frame before is.
            motion: (P, H, W, 2) quarter pixels, to the reference; read when all frames have been.
            out: (P, H, W, 3) RGB, not clipped.
        """
        self._iframe = iframe
        self._motion = motion
        self._out = out
        self._before: Picture | None = None
        self._pairs: dict[int, tuple[Image, Image]] = {}

    def advance(self, frame: DecodedFrame, cells: Cells, position: int, slot: int) -> None:
        """Takes the GOP's next frame, wanted in `out[slot]`; -1: it is not."""
        picture = frame.picture()
        if slot >= 0 and self._before is not None:
            reference = _rgb(self._before) if self._iframe is None else self._iframe
            self._pairs[slot] = _rgb(picture), reference
        self._before = picture

    def finish(self) -> None:
        """Writes all residuals; the motion is there by now."""
        for slot, (decoded, reference) in self._pairs.items():
            field, out = (array[slot].transpose(2, 0, 1) for array in (self._motion, self._out))
            _warped_difference(decoded.transpose(2, 0, 1), reference.transpose(2, 0, 1), field, out)


def _rgb(picture: Picture) -> Image:
    image: Image = empty_images(1, picture.y.shape[0], picture.y.shape[1], 3, np.uint8)[0]
    to_rgb(picture, image)
    return image
