"""Opens a video and reads of a group of pictures what is asked, decoding no more than that needs."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from cdkd.video.colour import Picture, empty_images, rgb_difference, to_rgb
from cdkd.video.decoding import GopDecoder
from cdkd.video.frames import GopRead, StreamInfo, VideoError
from cdkd.video.index import index_video, open_video
from cdkd.video.memory import empty_array
from cdkd.video.motion import chain_blocks
from cdkd.video.prediction import predict
from cdkd.video.residual import warped_residual


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
        if self.info.obstacle:
            raise VideoError(self.path, self.info.obstacle)
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
            with_residual: False leaves `residual` empty and saves the second decoding.

        Raises:
            VideoError: no such GOP or position, a position that holds no P-frame, or the file is damaged there.
        """
        positions, frame_positions = tuple(positions), tuple(frame_positions)
        self._check(gop, positions, frame_positions)
        if with_residual and not accumulated and self.info.frame_residual_obstacle:
            raise VideoError(self.path, self.info.frame_residual_obstacle)
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
        last_motion = max((*result.positions, 0))
        last = max((last_motion, *result.frame_positions))
        # A second decoder carries the I-frame along where that cannot be done here to the bit.
        is_h264, is_exact = self.info.codec == "h264", not self.info.frame_residual_obstacle
        with_chain = with_residual and accumulated and not (is_h264 or is_exact)
        key_time = self._index.key_times[gop]
        frames = self._decoder.decode(gop, key_time, last + 1, with_chain)
        motion_slots, frame_slots = _slots(result.positions), _slots(result.frame_positions)
        fields = _Fields(self.info.height, self.info.width, accumulated)
        chain: Picture | None = None
        for position, frame in enumerate(frames):
            for slot in frame_slots.get(position, ()):
                to_rgb(frame.picture, result.frames[slot])
            if position == 0:
                to_rgb(frame.picture, result.iframe)
                before = frame
            slots = motion_slots.get(position, [])
            if slots and frame.letter != "P":
                reason = f"frame {position} of GOP {gop} is of type {frame.letter}, which has no motion"
                raise VideoError(self.path, f"{reason}; re-encode it with `cdkd data prepare`")
            if frame.letter != "P":
                continue
            if position <= last_motion:
                fields.advance(frame.vectors, result, slots)
            if with_residual and is_h264 and slots:
                reference = result.iframe if accumulated else _rgb(before.picture)
                field = result.motion[slots[0]].transpose(2, 0, 1)
                warped_residual(_rgb(frame.picture), reference, field, result.residual[slots[0]])
            elif with_residual and not is_h264 and (slots or (accumulated and position <= last_motion)):
                rounding = int(self._index.roundings[gop][position])
                # Accumulated: predicted from the frame before as predicted itself, back to the I-frame.
                origin = chain if accumulated and chain else before.picture
                chain = frame.chain or predict(frame.vectors, origin, frame.picture, rounding)
                for slot in slots[:1]:
                    rgb_difference(frame.picture, chain, result.residual[slot])
            for slot in slots[1:] if with_residual else ():
                result.residual[slot] = result.residual[slots[0]]
            before = frame


class _Fields:
    """Motion fields along a GOP, written straight into the result where they are asked for."""

    def __init__(self, height: int, width: int, accumulated: bool) -> None:
        self._accumulated = accumulated
        self._before = _still_field(height, width)

    def advance(self, vectors: NDArray[Any], result: GopRead, slots: list[int]) -> None:
        """Goes on to the next P-frame and leaves its motion and intra mask in `slots` of the result."""
        if slots:
            field, intra = result.motion[slots[0]].transpose(2, 0, 1), result.intra[slots[0]]
        elif self._accumulated:
            field, intra = empty_array(self._before.shape, np.int16), empty_array(self._before.shape[1:], np.bool_)
        else:
            return
        chain_blocks(vectors, self._before, field, intra)
        for slot in slots[1:]:
            result.motion[slot], result.intra[slot] = result.motion[slots[0]], intra
        if self._accumulated:
            self._before = field


@lru_cache(maxsize=8)
def _still_field(height: int, width: int) -> NDArray[np.int16]:
    """Nobody writes to it; it is not marked so, because compiled loops would then be compiled twice."""
    return np.zeros((2, height, width), np.int16)


def _rgb(picture: Picture) -> NDArray[np.uint8]:
    image: NDArray[np.uint8] = empty_images(1, picture.y.shape[0], picture.y.shape[1], 3, np.uint8)[0]
    to_rgb(picture, image)
    return image


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
        intra=empty_array((len(positions), *size), np.bool_),
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
