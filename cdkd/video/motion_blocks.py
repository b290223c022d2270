"""The codec's block vectors as one motion for each cell of 8 x 8 pixels: no block of a codec read here is finer.

A motion is one number: in quarter pixels, y in its upper 16 bits and x in its lower, so that equal ones compare at
once. It points the other way than FFmpeg's `motion_x / motion_scale` (which is reference - x): what stands at x comes
from x - motion in the reference frame.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.modality import MOTION_UNITS_PER_PIXEL
from cdkd.video.jit import native

Cells = NDArray[np.int32]

CELL = 8
"""Pixels."""

UNIT_BITS = MOTION_UNITS_PER_PIXEL.bit_length() - 1
"""A shift by so many bits makes whole pixels of quarter pixels."""

BARE = -(1 << 31)
"""A cell without a vector: the codec did not predict it. As a motion it would be of 8,192 pixels."""

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


def num_cells(pixels: int) -> int:
    """How many cells cover a side."""
    return -(-pixels // CELL)


@native
def list_cells(vectors: Any, out: Cells) -> None:
    """Writes each cell's motion, or `BARE`.

    Args:
        vectors: (N,) `VECTOR_TYPE`, blocks 8 or 16 pixels wide and high, on a grid of 8.
        out: (ceil(H / 8), ceil(W / 8)).
    """
    rows, columns = out.shape
    out.fill(np.int32(BARE))
    for index in range(vectors.shape[0]):
        vector = vectors[index]
        # Shifts, because a division would round twice.
        side_y, side_x, scale = np.int64(vector.h), np.int64(vector.w), np.int64(vector.motion_scale)
        top, left = (np.int64(vector.dst_y) - (side_y >> 1)) >> 3, (np.int64(vector.dst_x) - (side_x >> 1)) >> 3
        x, y = -np.int64(vector.motion_x) * MOTION_UNITS_PER_PIXEL, -np.int64(vector.motion_y) * MOTION_UNITS_PER_PIXEL
        # Codecs use scales of 2 and 4, which need no division either.
        if scale == 2:
            x, y = x >> 1, y >> 1
        elif scale == 4:
            x, y = x >> 2, y >> 2
        else:
            x, y = x // scale, y // scale
        motion = np.int32((y << 16) | (x & 0xFFFF))
        # Unsigned places are not looked at for being counted from the end.
        for row in range(np.uint64(top), np.uint64(min(top + (side_y >> 3), rows))):
            for column in range(np.uint64(left), np.uint64(min(left + (side_x >> 3), columns))):
                out[row, column] = motion


@native
def x_of(motion: Any) -> Any:
    """To the right, in quarter pixels; 0 for `BARE`."""
    return np.int64(np.int16(motion & 0xFFFF))


@native
def y_of(motion: Any) -> Any:
    """Downwards, in quarter pixels; 0 for `BARE`."""
    return np.int64(0) if motion == BARE else np.int64(motion >> 16)
