"""The I-frame carried along a GOP by a decoder that leaves out every P-frame's inverse transform (`skip_idct=nokey`).

Such a decoder adds nothing to what it predicts, so its pictures are the I-frame moved by the vectors alone, with the
codec's own interpolation, whatever that is. It serves the MPEG-4 streams for which `prediction.py` is not made: those
with quarter-pixel vectors, and those whose sides are no multiples of 16. It costs a second decoding.

Intra blocks it shows as decoded, though. What stands there is put back:

    1  vectors are asked for too, so that the blocks without one are known
    2  in these, the carried picture of the frame before is copied over the decoded pixels, in the decoder's own memory
    3  which is where the decoder finds its reference for the next frame: what is carried goes on from there

For 3 a frame has to come out before the next one goes in: B-frames, which nothing refers to, are skipped, and the
decoder is told to hold nothing back. Pixels of an intra block beyond the visible picture's edge are out of reach and
stay as decoded; a vector that points out of the picture may bring some in. They are what the codec put there, the same
each time, and prediction + residual is the decoded frame all the same.
"""

from collections import deque
from typing import Any

import numpy as np

from cdkd.video.colour import Picture, picture_of
from cdkd.video.jit import jit
from cdkd.video.motion_blocks import BLOCK_PIXELS, INTRA, MotionBlocks, frame_blocks, num_blocks
from cdkd.video.opening import new_decoder, picture_type_of

_OPTIONS = {
    "flags": "+low_delay",
    "flags2": "+export_mvs",
    "err_detect": "explode",
    "skip_idct": "nokey",
    "skip_frame": "noref",
}

_SIDES = (BLOCK_PIXELS, BLOCK_PIXELS // 2, BLOCK_PIXELS // 2)
"""Of a motion block in y, u and v."""


@jit
def _put_back(blocks: MotionBlocks, before: Any, side: int, plane: Any) -> None:
    """Copies intra blocks, `side` pixels wide and high in this plane, from `before`."""
    height, width = plane.shape
    for row in range(height):
        for column in range(width):
            if blocks[row // side, column // side] == INTRA:
                plane[row, column] = before[row, column]


class CarriedDecoder:
    """Carries I-frames along; packets in, pictures of I- and P-frames out."""

    def __init__(self, stream: Any) -> None:
        self._decoder = new_decoder(stream, _OPTIONS)
        self._pictures: deque[Picture] = deque()
        self._before: Picture | None = None

    def feed(self, packet: Any) -> None:
        """Decodes a packet."""
        for frame in self._decoder.decode(packet):
            picture = picture_of(frame)
            if picture_type_of(frame) == "P" and self._before is not None:
                blocks = np.empty((num_blocks(frame.height), num_blocks(frame.width)), np.int32)
                frame_blocks(frame, blocks)  # 1
                planes = zip(picture.planes, self._before.planes, _SIDES, strict=True)
                for plane, before, side in planes:  # 2; and 3, as these planes are the decoder's reference from now on
                    _put_back(blocks, before, side, plane)
            # A view of the decoder's memory and no copy: step 3 rests on it.
            self._before = picture
            self._pictures.append(picture)

    def next_picture(self) -> Picture:
        """The next I- or P-frame in order, carried; its packet has been fed."""
        return self._pictures.popleft()

    def flush(self) -> None:
        """Forgets all frames, to go on elsewhere in the stream."""
        self._decoder.flush_buffers()
        self._pictures.clear()
        self._before = None
