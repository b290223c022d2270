"""CoViAR's residual (Wu et al., CVPR 2018): a frame minus its reference warped by vectors cut to whole pixels.

CoViAR's loader keeps, for every pixel, the place in the I-frame that it comes from, and subtracts what stands there:

    origin_0(x) = x
    origin_t(x) = origin_(t-1)(x - [m_t(x)])      [m]: the block's vector, cut towards zero to whole pixels
    residual_t  = frame_t - I-frame(origin_t)

A pixel keeps the origin that its place had one frame before where its block has no vector (intra), and where the
vector points out of the picture. Relative to the frame before, origin_(t-1) is x again and the I-frame is frame t-1.

How ours differs (`residual.py`): it interpolates as the codec does, by halves of a pixel, where each cut here loses up
to half of one, along a GOP eleven times; edges are repeated where a vector leaves the picture; and in H.264 the trace
is the finer one of `motion.py`. So theirs has ghosts of every edge that moves. At position 11 of GOPs of 12, in two
real clips at 320 x 256 pixels and quantiser 3, the two correlate to 0.70 and 0.71, and theirs is a quarter larger: 9.3
and 9.9 grey levels in the mean, ours 7.2 and 7.9. In intra blocks both hold what has changed there.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.modality import MotionReference
from cdkd.video.colour import Image, new_rgb
from cdkd.video.decoding import DecodedFrame
from cdkd.video.jit import jit
from cdkd.video.motion_blocks import BLOCK_PIXELS, MotionBlocks, x_of, y_of

Origins = NDArray[np.int32]
"""(H, W): where in the reference each pixel comes from, row * W + column."""


@jit
def _cut(quarters: int) -> int:
    """Whole pixels, cut towards zero; a shift alone would round down."""
    return quarters >> 2 if quarters >= 0 else -(-quarters >> 2)


@jit
def trace_origins(blocks: MotionBlocks, before: Origins, out: Origins) -> None:
    """One frame's origins from those of the frame before."""
    height, width = before.shape
    for row in range(height):
        for column in range(width):
            motion = blocks[row // BLOCK_PIXELS, column // BLOCK_PIXELS]
            # An intra block has a motion of 0, so its pixels keep the origin of their own place.
            from_row, from_column = row - _cut(y_of(motion)), column - _cut(x_of(motion))
            if 0 <= from_row < height and 0 <= from_column < width:
                out[row, column] = before[from_row, from_column]
            else:
                out[row, column] = before[row, column]


@jit
def _difference(decoded: Image, reference: Image, origins: Origins, out: NDArray[np.int16]) -> None:
    """Channel by channel, (3, H * W)."""
    for channel in range(3):
        for pixel in range(decoded.shape[1]):
            # Unsigned, so that no index is asked whether it is negative and counts from the end.
            place = np.uint64(origins[pixel])
            out[channel, pixel] = np.int16(decoded[channel, pixel]) - np.int16(reference[channel, place])


class CoviarResidual:
    """CoViAR's residuals along a GOP, of any codec whose vectors are read."""

    def __init__(self, reference: MotionReference, out: NDArray[np.int16]) -> None:
        """
        Args:
            reference: what the residual is relative to.
            out: (P, H, W, 3) RGB, not clipped; its memory lies channel by channel.
        """
        self._is_chained = reference is MotionReference.IFRAME
        self._out = out
        height, width = out.shape[1:3]
        self._origins: Origins = np.arange(height * width, dtype=np.int32).reshape(height, width)
        self._reference: Image | None = None

    def advance(self, frame: DecodedFrame, blocks: MotionBlocks, position: int, slot: int) -> None:
        """See `residual.ResidualWriter`."""
        if frame.picture_type not in "IP":
            return
        if self._reference is None:
            self._reference = new_rgb(frame.picture())
            return
        if self._is_chained and slot < 0:
            self._origins = self._traced(blocks)
            return
        decoded = new_rgb(frame.picture())
        if slot >= 0:
            origins = self._traced(blocks)
            _difference(_flat(decoded), _flat(self._reference), origins.reshape(-1), _flat(self._out[slot]))
            if self._is_chained:
                self._origins = origins
        if not self._is_chained:
            self._reference = decoded

    def _traced(self, blocks: MotionBlocks) -> Origins:
        # A new array each time: a pixel's new origin is read from another place of the old ones.
        origins = np.empty_like(self._origins)
        trace_origins(blocks, self._origins, origins)
        return origins

    def finish(self) -> None:
        """See `residual.ResidualWriter`."""


def _flat(image: NDArray[Any]) -> NDArray[Any]:
    """(H, W, 3), its memory channel by channel, seen as (3, H * W)."""
    return image.transpose(2, 0, 1).reshape(3, -1)
