"""One GOP as bytes of a packed cache, and back: exactly, without decoding video.

    | motion                                  | prediction            | frames            |
    | (N, 2, H, W) int8, int16 or by 8x8 block | (N, 3, H, W) uint8   | (M, 3, H, W) uint8 |

The residual is not stored: it is frame - prediction, so the raw frames that a teacher sees come for nothing. Frame 0 is
the I-frame. Motion stays in quarter pixels: one byte where no vector exceeds 31.75 pixels, else two; at block
resolution where each 8 x 8 block holds one vector, as motion relative to the frame before does.

Bytes of a GOP of 320 x 256 pixels (81,920) with 6 P-frames, one-byte motion and 7 frames (the teacher sees the same
positions): 6 x 2 + 6 x 3 + 7 x 3 = 51 per pixel, 4.2 MB; storing the residual as int16 instead of the prediction would
make it 69. The parts lie one after the other without padding or header: which positions they are follows from the
GOP's length and the layout (`StoredLayout`), the rest from the entry (`RecordForm`).

    positions   0   1   3   5   7   9   11      of 12 frames, P = 6
    frames      0   1   2   3   4   5   6       rows of the third part; row 0 is the I-frame
    motion          0   1   2   3   4   5       rows of the first and second part
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.data.clips.clip import GopArrays
from cdkd.data.clips.sampling import ClipLayout, are_positions_fixed, spread_positions
from cdkd.data.clips.windows import GopPositions, gop_positions
from cdkd.video.frames import GopRead

INT8, INT16, BLOCKS = 0, 1, 2
"""How motion is kept."""
PREDICTION, RESIDUAL = 0, 1
"""What stands for the residual: the prediction, or itself where frame - residual is no byte."""
_BLOCK = 8


@dataclass(frozen=True, slots=True)
class RecordForm:
    """What the bytes of one GOP mean."""

    gop_length: int
    height: int
    width: int
    motion_kind: int
    residual_kind: int


@dataclass(frozen=True, slots=True)
class StoredLayout:
    """Which positions of a GOP its record holds: P spread ones and the windows around them, or every one."""

    frames_per_gop: int
    """P; 0: every P-frame, whatever the windows."""
    student_window: int = 1
    teacher_window: int = 1

    @property
    def least_p_frames(self) -> int:
        """A GOP with fewer P-frames has no record."""
        return self.frames_per_gop or 1

    def motion(self, gop_length: int) -> tuple[int, ...]:
        """Positions whose motion and residual a record of a GOP of `gop_length` frames holds."""
        return self._positions(gop_length).motion

    def frames(self, gop_length: int) -> tuple[int, ...]:
        """Positions whose decoded frames it holds: the I-frame, those with motion, those that a teacher sees."""
        positions = self._positions(gop_length)
        return tuple(sorted({0, *positions.motion, *positions.frames}))

    def _positions(self, gop_length: int) -> GopPositions:
        if not self.frames_per_gop:
            return gop_positions(gop_length, tuple(range(1, gop_length)), 1, 1)
        steps = spread_positions(gop_length, self.frames_per_gop)
        return gop_positions(gop_length, steps, self.student_window, self.teacher_window)

    def holds(self, wanted: "StoredLayout") -> bool:
        """Every position that the other one holds."""
        return not self.frames_per_gop or (
            self.frames_per_gop == wanted.frames_per_gop
            and self.student_window >= wanted.student_window
            and self.teacher_window >= wanted.teacher_window
        )


EVERY_P_FRAME = StoredLayout(0, 0, 0)
"""Serves clips of every layout and sampling."""


def layout_to_store(layout: ClipLayout, gop_lengths: Collection[int]) -> StoredLayout:
    """What records must hold for clips of `layout` from GOPs of these lengths."""
    if not are_positions_fixed(gop_lengths, layout):
        return EVERY_P_FRAME
    return StoredLayout(layout.frames_per_gop, layout.student_window, layout.teacher_window)


def encode_gop(read: GopRead, gop_length: int) -> tuple[bytes, RecordForm]:
    """The record of a GOP.

    Args:
        read: at the positions of `StoredLayout.motion`, its frames at those of `StoredLayout.frames`.
    """
    # 1. Channels first, as networks want them: what is mapped later need not be turned round.
    height, width = read.iframe.shape[:2]
    motion, motion_kind = _encode_motion(read.motion.transpose(0, 3, 1, 2))
    frames = read.frames.transpose(0, 3, 1, 2)
    residual = read.residual.transpose(0, 3, 1, 2)
    # 2. The frames that the residuals belong to, (N, 3, H, W).
    at_motion = frames[[read.frame_positions.index(position) for position in read.positions]]
    # uint8 - int16 is int16, so nothing wraps around.
    prediction = at_motion - residual
    # A decoder's prediction is a picture and fits; should one not, its residual is stored, at two bytes a pixel.
    is_byte = bool(((prediction >= 0) & (prediction <= 255)).all())
    stored = prediction.astype(np.uint8) if is_byte else residual
    # 3. The three parts, one after the other.
    data = b"".join(np.ascontiguousarray(array).tobytes() for array in (motion, stored, frames))
    return data, RecordForm(gop_length, height, width, motion_kind, PREDICTION if is_byte else RESIDUAL)


def _encode_motion(motion: NDArray[np.int16]) -> tuple[NDArray[np.int8] | NDArray[np.int16], int]:
    # Of a picture of other sides the last blocks are cut off, and repeating them would give too many pixels.
    if motion.shape[2] % _BLOCK == 0 and motion.shape[3] % _BLOCK == 0:
        # Tried on the values and not told from the form: chained motion of a still scene is uniform in blocks, too.
        blocks = motion[:, :, ::_BLOCK, ::_BLOCK]
        if np.array_equal(_repeat(blocks), motion):
            return blocks, BLOCKS
    if motion.size == 0 or (motion.min() >= -128 and motion.max() <= 127):
        return motion.astype(np.int8), INT8
    return motion, INT16


def _repeat(blocks: NDArray[np.int16]) -> NDArray[np.int16]:
    return blocks.repeat(_BLOCK, axis=2).repeat(_BLOCK, axis=3)


def decode_gop(
    data: NDArray[np.uint8], form: RecordForm, stored: StoredLayout, gop: int, wants: GopPositions
) -> GopArrays:
    """What reading the video would give.

    Args:
        data: the record, one-dimensional; the result may share its memory.
        stored: the layout that the record was made for.
        gop: its number in the file.
        wants: what is read of it; positions that the record holds.
    """
    size = form.height, form.width
    # 1. What the record holds, and what of it is wanted: positions, in order.
    has, kept = stored.motion(form.gop_length), stored.frames(form.gop_length)
    num = len(has)
    # 2. The three parts as views; nothing is copied yet.
    parts = _Parts(data)
    if form.motion_kind == BLOCKS:
        small = parts.take((num, 2, size[0] // _BLOCK, size[1] // _BLOCK), np.int16)
    else:
        small = parts.take((num, 2, *size), np.int8 if form.motion_kind == INT8 else np.int16)
    difference = parts.take((num, 3, *size), np.uint8 if form.residual_kind == PREDICTION else np.int16)
    frames = parts.take((len(kept), 3, *size), np.uint8)
    # 3. The rows that are wanted. A narrower window than the stored one takes fewer.
    rows = [has.index(position) for position in wants.motion]
    motion = _rows(small, rows)
    residual = _rows(difference, rows)
    if form.residual_kind == PREDICTION:
        shown = _rows(frames, [kept.index(position) for position in wants.motion])
        # In int16 from the start: a difference of bytes would wrap around.
        residual = np.subtract(shown, residual, dtype=np.int16)
    return GopArrays(
        gop=gop,
        iframe=frames[0],
        motion=_repeat(motion) if form.motion_kind == BLOCKS else motion.astype(np.int16, copy=False),
        residual=residual,
        frames=_rows(frames, [kept.index(position) for position in wants.frames]),
        positions=wants,
    )


def _rows(array: NDArray[Any], rows: list[int]) -> NDArray[Any]:
    """Those rows; as a view where they lie one after the other."""
    if rows and rows == list(range(rows[0], rows[0] + len(rows))):
        return array[rows[0] : rows[0] + len(rows)]
    return array[rows]


class _Parts:
    """Takes arrays off the front of some bytes."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data = data
        self._at = 0

    def take(self, shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
        num_bytes = int(np.prod(shape)) * np.dtype(kind).itemsize
        part = self._data[self._at : self._at + num_bytes].view(kind).reshape(shape)
        self._at += num_bytes
        return part
