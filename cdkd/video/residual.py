"""Residuals: what remains of a frame when its prediction is taken away.

    relative to        MPEG-4 Part 2, exact to the bit                     H.264
    the I-frame        frame - I-frame carried along by the vectors        frame - I-frame warped by accumulated motion
    the frame before   frame - half-pixel motion compensation of it        frame - frame before warped by its motion

To the bit: residual + prediction is the decoded frame, and the prediction is the codec's own, interpolation included.
The carried I-frame is a chain of predictions, each from the one before it, back to the I-frame. `prediction.py` makes
them; for quarter-pixel vectors and odd sizes a second decoder does (`carried.py`). H.264's interpolation has six taps
and a deblocking filter behind it; there the warp is bilinear.

In blocks that the codec did not predict (intra) the reference stands still: the carried I-frame goes on from where it
was, the frame before is taken as it is, and the residual holds what has changed there. (The codec itself takes no
reference in such a block, and a decoder without inverse transform shows the new pixels there. A residual against these
would be 0 just where most has changed, from that frame to the end of the GOP.)

How this differs from CoViAR's residual is told in `coviar_residual.py`.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cdkd.modality import MOTION_UNITS_PER_PIXEL, MotionReference
from cdkd.video.colour import Image, Picture, new_rgb, rgb_difference
from cdkd.video.decoding import DecodedFrame
from cdkd.video.jit import jit
from cdkd.video.motion import Field
from cdkd.video.motion_blocks import UNIT_BITS, MotionBlocks
from cdkd.video.prediction import predict


@jit
def _warped_difference(decoded: Image, reference: Image, field: Field, out: NDArray[np.int16]) -> None:
    """All channel by channel, (3, H, W); `field` in quarter pixels.

    1  where the pixel comes from, in quarter pixels: the whole part by a shift, the fraction by a mask, which hold for
       negative numbers too
    2  its four neighbours there, clamped to the picture, which repeats its edges
    3  their mean by the fractions, in sixteenths, rounded half up
    """
    _, height, width = decoded.shape
    bits, last = UNIT_BITS, MOTION_UNITS_PER_PIXEL - 1
    for row in range(height):
        for column in range(width):
            x = (column << bits) - np.int64(field[0, row, column])  # 1
            y = (row << bits) - np.int64(field[1, row, column])
            right_part, bottom_part = x & last, y & last
            left, right = min(max(x >> bits, 0), width - 1), min(max((x >> bits) + 1, 0), width - 1)  # 2
            top, bottom = min(max(y >> bits, 0), height - 1), min(max((y >> bits) + 1, 0), height - 1)
            # Unsigned, so that no index is asked whether it is negative and counts from the end.
            to_y, to_x, from_left, from_right = np.uint64(row), np.uint64(column), np.uint64(left), np.uint64(right)
            from_top, from_bottom = np.uint64(top), np.uint64(bottom)
            for channel in range(np.uint64(3)):  # 3
                upper = (last + 1 - right_part) * np.int64(reference[channel, from_top, from_left])
                upper += right_part * np.int64(reference[channel, from_top, from_right])
                lower = (last + 1 - right_part) * np.int64(reference[channel, from_bottom, from_left])
                lower += right_part * np.int64(reference[channel, from_bottom, from_right])
                total = (last + 1 - bottom_part) * upper + bottom_part * lower
                predicted = (total + (1 << (2 * bits - 1))) >> (2 * bits)
                out[channel, to_y, to_x] = np.int64(decoded[channel, to_y, to_x]) - predicted


class ResidualWriter(Protocol):
    """Takes a GOP's frames in display order and writes the residuals of those that are wanted."""

    def advance(self, frame: DecodedFrame, blocks: MotionBlocks, position: int, slot: int) -> None:
        """Takes the GOP's next frame.

        Args:
            frame: of any type; residuals are of P-frames.
            blocks: (ceil(H / 8), ceil(W / 8)) the motions of a P-frame's blocks.
            position: in the GOP.
            slot: where in the output its residual goes; -1: it is not wanted.
        """

    def finish(self) -> None:
        """All frames are through, and their motion is known."""


class PredictedResidual:
    """MPEG-4's residuals along a GOP, to the bit."""

    def __init__(self, roundings: str, reference: MotionReference, out: NDArray[np.int16]) -> None:
        """
        Args:
            roundings: `vop_rounding_type` of each of the GOP's frames, 0 or 1.
            reference: what the residual is relative to.
            out: (P, H, W, 3) RGB, not clipped.
        """
        self._roundings = roundings
        self._is_chained = reference is MotionReference.IFRAME
        self._out = out
        self._origin: Picture | None = None

    def advance(self, frame: DecodedFrame, blocks: MotionBlocks, position: int, slot: int) -> None:
        """See `ResidualWriter`."""
        if frame.picture_type not in "IP":
            return
        # The first is the I-frame. The residual of a frame that nobody asked for is skipped, its prediction only where
        # nothing is chained to it.
        picture = frame.picture()
        if self._origin is None:
            self._origin = picture
        elif self._is_chained or slot >= 0:
            predicted = frame.carried or predict(blocks, self._origin, int(self._roundings[position]))
            if slot >= 0:
                rgb_difference(picture, predicted, self._out[slot])
            # Chained: predicted from the frame before as predicted itself, back to the I-frame.
            self._origin = predicted
        if not self._is_chained:
            self._origin = picture

    def finish(self) -> None:
        """See `ResidualWriter`."""


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

    def advance(self, frame: DecodedFrame, blocks: MotionBlocks, position: int, slot: int) -> None:
        """See `ResidualWriter`."""
        picture = frame.picture()
        if slot >= 0 and self._before is not None:
            reference = new_rgb(self._before) if self._iframe is None else self._iframe
            # Kept until the motion is known, which is after the last frame.
            self._pairs[slot] = new_rgb(picture), reference
        self._before = picture

    def finish(self) -> None:
        """Writes all residuals."""
        for slot, (decoded, reference) in self._pairs.items():
            field, out = (array[slot].transpose(2, 0, 1) for array in (self._motion, self._out))
            _warped_difference(decoded.transpose(2, 0, 1), reference.transpose(2, 0, 1), field, out)
