"""Opens a video and reads of a group of pictures what is asked, decoding no more than that needs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from av.error import FFmpegError

from cdkd.video.colour import empty_images, to_rgb
from cdkd.video.decoding import GopDecoder
from cdkd.video.frames import GopRead, StreamInfo, VideoError
from cdkd.video.index import index_video, open_video
from cdkd.video.memory import empty_array
from cdkd.video.motion import trace_motion
from cdkd.video.motion_blocks import num_cells
from cdkd.video.residual import PredictedResidual, WarpedResidual

_NOWHERE = (-1,)


def describe(path: Path | str) -> StreamInfo:
    """What a file holds, and whether and why not motion and residual can be read; decodes nothing.

    Raises:
        VideoError: the file cannot be read, is damaged or cut short.
    """
    return index_video(Path(path)).info


class VideoReader:
    """Random access to the groups of pictures of one file.

    Example:
        with VideoReader("clip.mp4") as video:
            gop = video.read_gop(0, positions=range(1, 12, 2))

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

    def iter_gops(
        self,
        positions: Sequence[int] | None = None,
        frame_positions: Sequence[int] = (),
        accumulated: bool = True,
        with_residual: bool = True,
    ) -> Iterator[GopRead]:
        """Every GOP in turn; without `positions`, each at all its P-frames."""
        for gop in range(self.info.num_gops):
            wanted = self.p_positions(gop) if positions is None else positions
            yield self.read_gop(gop, wanted, frame_positions, accumulated, with_residual)

    def p_positions(self, gop: int) -> tuple[int, ...]:
        """Positions of a GOP's P-frames: those that have motion and residual."""
        if not self.info.frame_types:
            return tuple(range(1, self.info.gop_lengths[gop]))
        return tuple(position for position, letter in enumerate(self.info.frame_types[gop]) if letter == "P")

    def read_gop(
        self,
        gop: int,
        positions: Sequence[int],
        frame_positions: Sequence[int] = (),
        accumulated: bool = True,
        with_residual: bool = True,
    ) -> GopRead:
        """One GOP at the positions asked for, in the order asked for.

        Args:
            gop: 0 is the file's first.
            positions: P-frames whose motion and residual are wanted, in display order; 0 is the I-frame.
            frame_positions: frames wanted as decoded RGB, of any type.
            accumulated: motion and residual relative to the I-frame; else to the frame before (for a P-frame
                after B-frames: to the P- or I-frame before).
            with_residual: False leaves `residual` empty and saves more than half of the work: P-frames of which no
                pixels are wanted are decoded for their vectors alone.

        Raises:
            VideoError: no such GOP or position, a position that holds no P-frame, or the file is damaged there.
        """
        positions, frame_positions = tuple(positions), tuple(frame_positions)
        self._check(gop, positions, frame_positions)
        if with_residual and not accumulated and self.info.frame_residual_unsupported_reason:
            raise VideoError(self.path, self.info.frame_residual_unsupported_reason)
        result = _empty_read(self.info, positions, frame_positions, with_residual)
        try:
            self._fill(result, gop, accumulated, with_residual and bool(positions))
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
            letters = info.frame_types[gop] if info.frame_types else "I" + "P" * (length - 1)
            raise VideoError(
                self.path,
                f"motion and residual exist at P-frames; positions {wrong} of GOP {gop} ({letters}) are none",
            )

    def _fill(self, result: GopRead, gop: int, accumulated: bool, with_residual: bool) -> None:
        frame_slots, motion_slots = _slots(result.frame_positions), _slots(result.positions)
        last_motion = max(motion_slots, default=0)
        num_frames = 1 + max((last_motion, *frame_slots))
        with_pixels = with_residual or any(position > 0 for position in frame_slots)
        residual = self._residual(result, gop, accumulated) if with_residual else None
        # A second decoder carries the I-frame along where that cannot be done here to the bit.
        is_exact = self.info.codec == "h264" or not self.info.frame_residual_unsupported_reason
        with_chain = with_residual and accumulated and not is_exact
        key_time = self._index.key_times[gop]
        cells = np.empty((num_frames, *result.intra.shape[1:]), np.int32)
        slots: list[int] = []
        for position, frame in enumerate(self._decoder.decode(gop, key_time, num_frames, with_pixels, with_chain)):
            for slot in frame_slots.get(position, ()):
                to_rgb(frame.picture(), result.frames[slot])
            if position == 0:
                to_rgb(frame.picture(), result.iframe)
            slot = motion_slots.get(position, _NOWHERE)[0]
            if slot >= 0 and frame.letter != "P":
                reason = f"frame {position} of GOP {gop} is of type {frame.letter}, which has no motion"
                raise VideoError(self.path, f"{reason}; re-encode it with `cdkd data prepare`")
            if frame.letter == "P" and position <= last_motion:
                frame.list_cells(cells[len(slots)])
                slots.append(slot)
            if residual and position <= last_motion:
                residual.advance(frame, cells[len(slots) - 1], position, slot)
        if slots:
            trace_motion(cells[: len(slots)], slots, accumulated, result.motion.transpose(0, 3, 1, 2), result.intra)
        if residual:
            residual.finish()
        for first, *others in motion_slots.values():
            for other in others:
                result.motion[other], result.intra[other] = result.motion[first], result.intra[first]
                if with_residual:
                    result.residual[other] = result.residual[first]

    def _residual(self, result: GopRead, gop: int, accumulated: bool) -> PredictedResidual | WarpedResidual:
        if self.info.codec == "h264":
            return WarpedResidual(result.iframe if accumulated else None, result.motion, result.residual)
        return PredictedResidual(self._index.roundings[gop], accumulated, result.residual)


def _slots(wanted: tuple[int, ...]) -> dict[int, list[int]]:
    """Where in the result each wanted position goes."""
    slots: dict[int, list[int]] = {}
    for slot, position in enumerate(wanted):
        slots.setdefault(position, []).append(slot)
    return slots


def _empty_read(
    info: StreamInfo, positions: tuple[int, ...], frame_positions: tuple[int, ...], with_residual: bool
) -> GopRead:
    size: tuple[Any, Any] = (info.height, info.width)
    return GopRead(
        iframe=empty_images(1, *size, 3, np.uint8)[0],
        motion=empty_images(len(positions), *size, 2, np.int16),
        residual=empty_images(len(positions) if with_residual else 0, *size, 3, np.int16),
        intra=empty_array((len(positions), *map(num_cells, size)), np.bool_),
        frames=empty_images(len(frame_positions), *size, 3, np.uint8),
        positions=positions,
        frame_positions=frame_positions,
    )


def read_gop(
    path: Path | str,
    gop: int,
    positions: Sequence[int],
    frame_positions: Sequence[int] = (),
    accumulated: bool = True,
    with_residual: bool = True,
) -> GopRead:
    """Opens `path`, reads one GOP, closes it; see `VideoReader.read_gop`."""
    with VideoReader(path) as reader:
        return reader.read_gop(gop, positions, frame_positions, accumulated, with_residual)
