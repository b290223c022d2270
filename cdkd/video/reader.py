"""Opens a video and reads of a group of pictures what is asked, decoding no more than that needs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

import numpy as np
from av.error import FFmpegError

from cdkd.modality import MotionReference, ResidualKind
from cdkd.video.colour import empty_images, to_rgb
from cdkd.video.coviar_residual import CoviarResidual
from cdkd.video.decoding import GopDecoder
from cdkd.video.frames import GopRead, StreamInfo, VideoError
from cdkd.video.index import index_video
from cdkd.video.memory import empty_array
from cdkd.video.motion import trace_motion
from cdkd.video.motion_blocks import num_blocks
from cdkd.video.opening import REMEDY, open_video
from cdkd.video.residual import PredictedResidual, ResidualWriter, WarpedResidual

_NOWHERE = (-1,)


def describe(path: Path | str) -> StreamInfo:
    """What a file holds, and whether and why not motion and residual can be read; decodes nothing.

    Raises:
        VideoError: the file cannot be read, is damaged or cut short (as far as its container tells).
    """
    return index_video(Path(path)).info


class VideoReader:
    """The groups of pictures (GOPs) of one file, each an I-frame and the frames that follow from it.

    `len` counts them; indexing and iterating read them at all of their P-frames; `read_gop` reads less, or more.

    Example:
        >>> import numpy as np, tempfile
        >>> from cdkd.video.transcode import encode_frames
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = folder.name + "/clip.mp4"
        >>> frames = [np.full((64, 96, 3), 8 * t, np.uint8) for t in range(26)]
        >>> encode_frames(path, frames, frames_per_second=25)
        26
        >>> with VideoReader(path) as video:
        ...     print(len(video), video.info.codec, video.info.gop_lengths)
        ...     print(video[0].iframe.shape, video[0].motion.shape, video[-1].residual.shape)
        ...     print([len(gop.positions) for gop in video])
        ...     gop = video.read_gop(1, positions=[2, 11], frame_positions=[11])
        ...     print(gop.motion.dtype, gop.residual.dtype, gop.frames.shape)
        3 mpeg4 (12, 12, 2)
        (64, 96, 3) (11, 64, 96, 2) (1, 64, 96, 3)
        [11, 11, 1]
        int16 int16 (1, 64, 96, 3)
        >>> folder.cleanup()

    Raises:
        VideoError: the file cannot be read, or not exactly; with path, reason and remedy.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._index = index_video(self.path)
        if self.info.unsupported_reason:
            raise VideoError(self.path, self.info.unsupported_reason)
        self._container, stream = open_video(self.path)
        self._decoder = GopDecoder(self._container, stream, self.info)

    @property
    def info(self) -> StreamInfo:
        """Codec, size and GOP structure, as headers and packets give them."""
        return self._index.info

    def close(self) -> None:
        """Gives the file back; reading after this is an error."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self.info.num_gops

    def __iter__(self) -> Iterator[GopRead]:
        return self.iter_gops()

    @overload
    def __getitem__(self, gop: int) -> GopRead: ...
    @overload
    def __getitem__(self, gop: slice) -> list[GopRead]: ...

    def __getitem__(self, gop: int | slice) -> GopRead | list[GopRead]:
        if isinstance(gop, slice):
            return [self[index] for index in range(*gop.indices(len(self)))]
        if not -len(self) <= gop < len(self):
            raise IndexError(f"{self.path}: has {len(self)} GOPs; there is no GOP {gop}")
        return self.read_gop(gop % len(self), self.p_positions(gop % len(self)))

    def iter_gops(
        self,
        positions: Sequence[int] | None = None,
        frame_positions: Sequence[int] = (),
        reference: MotionReference = MotionReference.IFRAME,
        residual: ResidualKind | None = ResidualKind.EXACT,
    ) -> Iterator[GopRead]:
        """Every GOP in turn, as `read_gop` reads it; without `positions`, each at all its P-frames."""
        for gop in range(len(self)):
            wanted = self.p_positions(gop) if positions is None else positions
            yield self.read_gop(gop, wanted, frame_positions, reference, residual)

    def p_positions(self, gop: int) -> tuple[int, ...]:
        """Positions of a GOP's P-frames: those that have motion and residual."""
        if not self.info.frame_types:
            return tuple(range(1, self.info.gop_lengths[gop]))
        return tuple(position for position, kind in enumerate(self.info.frame_types[gop]) if kind == "P")

    def read_gop(
        self,
        gop: int,
        positions: Sequence[int],
        frame_positions: Sequence[int] = (),
        reference: MotionReference = MotionReference.IFRAME,
        residual: ResidualKind | None = ResidualKind.EXACT,
    ) -> GopRead:
        """One GOP at the positions asked for, in the order asked for.

        Args:
            gop: 0 is the file's first.
            positions: P-frames whose motion and residual are wanted, in display order; 0 is the I-frame.
            frame_positions: frames wanted as decoded RGB, of any type.
            reference: what motion and residual are relative to (for a P-frame after B-frames the frame before is the
                P- or I-frame before).
            residual: its definition; None leaves `residual` empty and saves more than half of the work: P-frames of
                which no pixels are wanted are decoded for their vectors alone.

        Raises:
            VideoError: no such GOP or position, a position that holds no P-frame, or the file is damaged there.
        """
        reference = MotionReference(reference)
        kind = None if residual is None else ResidualKind(residual)
        positions, frame_positions = tuple(positions), tuple(frame_positions)
        self._check(gop, positions, frame_positions)
        if reason := self.info.unsupported_residual_reason(reference, kind):
            raise VideoError(self.path, reason)
        result = _empty_read(self.info, positions, frame_positions, with_residual=kind is not None)
        try:
            self._fill(result, gop, reference, kind if positions else None)
        except FFmpegError as error:
            raise VideoError(self.path, f"GOP {gop} cannot be reached: {error.strerror}") from error
        return result

    def _check(self, gop: int, positions: tuple[int, ...], frame_positions: tuple[int, ...]) -> None:
        info = self.info
        if not 0 <= gop < info.num_gops:
            raise VideoError(self.path, f"has {info.num_gops} GOPs; there is no GOP {gop}")
        length = info.gop_lengths[gop]
        outside = [p for p in (*positions, *frame_positions) if not 0 <= p < length]
        if outside:
            reason = f"GOP {gop} has {length} frames; positions {outside} are outside 0..{length - 1}"
            raise VideoError(self.path, reason)
        known = self.p_positions(gop)
        wrong = [position for position in positions if position not in known]
        if wrong:
            types = info.frame_types[gop] if info.frame_types else "I" + "P" * (length - 1)
            raise VideoError(
                self.path,
                f"motion and residual exist at P-frames; positions {wrong} of GOP {gop} ({types}) are none",
            )

    def _fill(self, result: GopRead, gop: int, reference: MotionReference, kind: ResidualKind | None) -> None:
        # 1. What is wanted, and how much of the GOP has to be decoded for it, and how.
        frame_slots, motion_slots = _slots(result.frame_positions), _slots(result.positions)
        last_motion = max(motion_slots, default=0)
        num_frames = 1 + max((last_motion, *frame_slots))
        with_pixels = kind is not None or any(position > 0 for position in frame_slots)
        residual = self._residual(result, gop, reference, kind) if kind else None
        key_time = self._index.key_times[gop]
        blocks = np.empty((num_frames, *result.intra.shape[1:]), np.int32)
        slots: list[int] = []
        # 2. Frame by frame: pictures become RGB while the decoder still holds them, vectors become blocks, residuals go
        #    along. A frame between those wanted counts too: motion and prediction are chained through it.
        frames = self._decoder.decode(gop, key_time, num_frames, with_pixels, self._needs_carried(reference, kind))
        for position, frame in enumerate(frames):
            for slot in frame_slots.get(position, ()):
                to_rgb(frame.picture(), result.frames[slot])
            if position == 0:
                to_rgb(frame.picture(), result.iframe)
            slot = motion_slots.get(position, _NOWHERE)[0]
            if slot >= 0 and frame.picture_type != "P":
                reason = f"frame {position} of GOP {gop} is of type {frame.picture_type}, which has no motion"
                raise VideoError(self.path, f"{reason}; {REMEDY}")
            if frame.picture_type == "P" and position <= last_motion:
                frame.read_blocks(blocks[len(slots)])
                slots.append(slot)
            if residual and position <= last_motion:
                residual.advance(frame, blocks[len(slots) - 1], position, slot)
        # 3. Dense motion of all at once; a warp needs it, so residuals are finished after it.
        if slots:
            trace_motion(blocks[: len(slots)], slots, reference, result.motion.transpose(0, 3, 1, 2), result.intra)
        if residual:
            residual.finish()
        _repeat_slots(result, motion_slots)

    def _needs_carried(self, reference: MotionReference, kind: ResidualKind | None) -> bool:
        """A second decoder carries the I-frame along where that cannot be done here to the bit."""
        is_chained = kind is ResidualKind.EXACT and reference is MotionReference.IFRAME
        return is_chained and self.info.codec == "mpeg4" and bool(self.info.frame_residual_unsupported_reason)

    def _residual(self, result: GopRead, gop: int, reference: MotionReference, kind: ResidualKind) -> ResidualWriter:
        if kind is ResidualKind.COVIAR:
            return CoviarResidual(reference, result.residual)
        if self.info.codec == "h264":
            iframe = result.iframe if reference is MotionReference.IFRAME else None
            return WarpedResidual(iframe, result.motion, result.residual)
        return PredictedResidual(self._index.roundings[gop], reference, result.residual)


def _slots(wanted: tuple[int, ...]) -> dict[int, list[int]]:
    """Where in the result each wanted position goes."""
    slots: dict[int, list[int]] = {}
    for slot, position in enumerate(wanted):
        slots.setdefault(position, []).append(slot)
    return slots


def _repeat_slots(result: GopRead, motion_slots: dict[int, list[int]]) -> None:
    """Positions asked for more than once."""
    for first, *others in motion_slots.values():
        for other in others:
            result.motion[other], result.intra[other] = result.motion[first], result.intra[first]
            if len(result.residual):
                result.residual[other] = result.residual[first]


def _empty_read(
    info: StreamInfo, positions: tuple[int, ...], frame_positions: tuple[int, ...], with_residual: bool
) -> GopRead:
    size: tuple[Any, Any] = (info.height, info.width)
    return GopRead(
        iframe=empty_images(1, *size, 3, np.uint8)[0],
        motion=empty_images(len(positions), *size, 2, np.int16),
        residual=empty_images(len(positions) if with_residual else 0, *size, 3, np.int16),
        intra=empty_array((len(positions), *map(num_blocks, size)), np.bool_),
        frames=empty_images(len(frame_positions), *size, 3, np.uint8),
        positions=positions,
        frame_positions=frame_positions,
    )


def read_gop(
    path: Path | str,
    gop: int,
    positions: Sequence[int],
    frame_positions: Sequence[int] = (),
    reference: MotionReference = MotionReference.IFRAME,
    residual: ResidualKind | None = ResidualKind.EXACT,
) -> GopRead:
    """Opens `path`, reads one GOP, closes it; see `VideoReader.read_gop`."""
    with VideoReader(path) as reader:
        return reader.read_gop(gop, positions, frame_positions, reference, residual)
