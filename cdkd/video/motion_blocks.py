"""The codec's block vectors as one motion for each block of 8 x 8 pixels: no block of a codec read here is finer.

A motion is one number of 32 bits, in quarter pixels, so that two motions compare at once:

    31           16 15            0
    |  y, signed   |  x, signed   |      INTRA = 0x80000000: the codec did not predict the block

It points the other way than FFmpeg's `motion_x / motion_scale` (which is reference - x): what stands at x comes from
x - motion in the reference frame.
"""

from typing import Any

import numpy as np
from av.sidedata.motionvectors import MotionVectors
from av.sidedata.sidedata import SideDataContainer
from numpy.typing import NDArray

from cdkd.modality import MOTION_UNITS_PER_PIXEL
from cdkd.video.jit import jit

MotionBlocks = NDArray[np.int32]
"""(ceil(H / 8), ceil(W / 8)) motions of one frame."""

BLOCK_PIXELS = 8
"""Width and height of a motion block."""

UNIT_BITS = MOTION_UNITS_PER_PIXEL.bit_length() - 1
"""A shift by so many bits makes whole pixels of quarter pixels."""

INTRA = -(1 << 31)
"""A block without a vector: the codec did not predict it. As a motion it would be of 8,192 pixels."""

VECTOR_TYPE = np.dtype(
    [
        ("source", np.int32),
        ("w", np.uint8),
        ("h", np.uint8),
        ("src_x", np.int16),
        ("src_y", np.int16),
        ("dst_x", np.int16),
        ("dst_y", np.int16),
        ("flags", np.uint64),
        ("motion_x", np.int32),
        ("motion_y", np.int32),
        ("motion_scale", np.uint16),
    ],
    align=True,
)
"""FFmpeg's AVMotionVector; `src_x` and `src_y` are cut to whole pixels and not used here."""

_NO_VECTORS = np.frombuffer(b"", VECTOR_TYPE)


def frame_vectors(frame: Any) -> NDArray[np.void] | None:
    """A decoded frame's vectors, (N,) `VECTOR_TYPE`; None if it comes without any."""
    # `frame.side_data` would tie both into a cycle that keeps the picture until a garbage collection.
    for data in SideDataContainer(frame):  # type: ignore[call-arg]
        if type(data) is MotionVectors:
            vectors: NDArray[np.void] = np.frombuffer(data, VECTOR_TYPE)  # type: ignore[call-overload]
            return vectors
    return None


def frame_blocks(frame: Any, out: MotionBlocks) -> None:
    """Writes the motions of a decoded frame's blocks, (ceil(H / 8), ceil(W / 8)); all `INTRA` without vectors."""
    vectors = frame_vectors(frame)
    read_blocks(_NO_VECTORS if vectors is None else vectors, out)


def num_blocks(pixels: int) -> int:
    """How many motion blocks cover a side."""
    return -(-pixels // BLOCK_PIXELS)


@jit
def read_blocks(vectors: Any, out: MotionBlocks) -> None:
    """Writes each block's motion, or `INTRA`.

    Args:
        vectors: (N,) `VECTOR_TYPE`, blocks 8 or 16 pixels wide and high, on a grid of 8.
        out: (ceil(H / 8), ceil(W / 8)).
    """
    rows, columns = out.shape
    # What no vector covers was not predicted.
    out.fill(np.int32(INTRA))
    for index in range(vectors.shape[0]):
        vector = vectors[index]
        # 1. FFmpeg names a block's centre; its upper left corner, in motion blocks. Shifts instead of
        #    divisions throughout: those would ask for a divisor of 0 and set right the sign of what remains.
        side_y, side_x, scale = np.int64(vector.h), np.int64(vector.w), np.int64(vector.motion_scale)
        top, left = (np.int64(vector.dst_y) - (side_y >> 1)) >> 3, (np.int64(vector.dst_x) - (side_x >> 1)) >> 3
        # 2. Turned round and in quarter pixels. MPEG-4 has a scale of 2 or, with quarter pixels, 4; H.264 has 4.
        x, y = -np.int64(vector.motion_x) * MOTION_UNITS_PER_PIXEL, -np.int64(vector.motion_y) * MOTION_UNITS_PER_PIXEL
        if scale == 2:
            x, y = x >> 1, y >> 1
        elif scale == 4:
            x, y = x >> 2, y >> 2
        else:
            x, y = x // scale, y // scale
        # The mask keeps a negative x from filling the upper half with ones.
        motion = np.int32((y << 16) | (x & 0xFFFF))
        # 3. One to four motion blocks take it, those outside the picture left out. A signed index could be negative,
        #    which in Python counts from the end, so the compiler would look at its sign each time; an unsigned cannot.
        for row in range(np.uint64(top), np.uint64(min(top + (side_y >> 3), rows))):
            for column in range(np.uint64(left), np.uint64(min(left + (side_x >> 3), columns))):
                out[row, column] = motion


@jit
def x_of(motion: Any) -> Any:
    """To the right, in quarter pixels; 0 for `INTRA`."""
    # The detour over 16 bits brings back the sign.
    return np.int64(np.int16(motion & 0xFFFF))


@jit
def y_of(motion: Any) -> Any:
    """Downwards, in quarter pixels; 0 for `INTRA`."""
    return np.int64(0) if motion == INTRA else np.int64(motion >> 16)
