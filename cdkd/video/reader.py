"""Opens a video, finds its groups of pictures, decodes of one no more than what is asked."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.error import FFmpegError

from cdkd.video.colour import Picture, to_rgb
from cdkd.video.frames import GopRead, StreamInfo, VideoError
from cdkd.video.motion import accumulate, paint_blocks
from cdkd.video.residual import accumulated_residual, frame_residual

_PREPARE = "re-encode it with `cdkd data prepare`"


@dataclass(frozen=True)
class _Index:
    """A file's structure; `key_times` are the key frames' decoding times in the stream's time base."""

    info: StreamInfo
    key_times: tuple[int, ...]


def _open(path: Path) -> tuple[Any, Any]:
    try:
        container = av.open(str(path), "r")
    except (FFmpegError, OSError, ValueError) as error:
        raise VideoError(path, f"cannot be opened as a video: {error.__class__.__name__}: {error}") from error
    if not container.streams.video:
        container.close()
        raise VideoError(path, "holds no video stream")
    return container, container.streams.video[0]


@lru_cache(maxsize=65536)
def _index(path: Path, size: int, modified_ns: int) -> _Index:
    """Reads the packets of a file once; size and time of change are part of the key, so that a new file is read anew."""
    container, stream = _open(path)
    try:
        context = stream.codec_context
        if context.name != "mpeg4":
            raise VideoError(path, f"is {context.name}, from which compressed-domain input cannot be read; {_PREPARE}")
        key_times: list[int] = []
        lengths: list[int] = []
        try:
            for packet in container.demux(stream):
                if packet.dts is None:
                    continue
                if packet.is_keyframe:
                    key_times.append(packet.dts)
                    lengths.append(0)
                if lengths:
                    lengths[-1] += 1
        except FFmpegError as error:
            raise VideoError(path, f"its packets cannot be read: {error}") from error
        if not lengths:
            raise VideoError(path, "holds no key frame")
        info = StreamInfo(
            path=path,
            codec=context.name,
            profile=str(context.profile or ""),
            width=context.width,
            height=context.height,
            frames_per_second=float(stream.average_rate or 0),
            num_frames=sum(lengths),
            gop_lengths=tuple(lengths),
            has_b_frames=bool(context.has_b_frames),
            pixel_format=str(context.pix_fmt),
        )
        return _Index(info, tuple(key_times))
    finally:
        container.close()


def _indexed(path: Path) -> _Index:
    try:
        status = os.stat(path)
    except OSError as error:
        raise VideoError(path, f"cannot be read: {error.strerror}") from error
    if status.st_size == 0:
        raise VideoError(path, "is empty (0 bytes)")
    return _index(path, status.st_size, status.st_mtime_ns)


def _picture(frame: Any) -> Picture:
    """The planes of a decoded yuv420p frame, without copying."""
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        planes.append(rows[: plane.height, : plane.width])
    return Picture(*planes)


class VideoReader:
    """Random access to the groups of pictures of one file.

    Raises:
        VideoError: the file cannot be read, with path, reason and remedy.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._index = _indexed(self.path)
        if self._index.info.has_b_frames:
            raise VideoError(self.path, f"has B-frames; {_PREPARE}")
        self._container, self._stream = _open(self.path)

    @property
    def info(self) -> StreamInfo:
        """Codec, size and GOP structure, as the packets give them."""
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
        self, positions: Sequence[int] | None = None, frame_positions: Sequence[int] = (), accumulated: bool = True
    ) -> Iterator[GopRead]:
        """Every GOP in turn; without `positions`, each at all its P-frames."""
        for gop, length in enumerate(self.info.gop_lengths):
            yield self.read_gop(gop, range(1, length) if positions is None else positions, frame_positions, accumulated)

    def read_gop(
        self, gop: int, positions: Sequence[int], frame_positions: Sequence[int] = (), accumulated: bool = True
    ) -> GopRead:
        """One GOP at the positions asked for.

        Args:
            gop: 0 is the file's first.
            positions: P-frames whose motion and residual are wanted, 1 .. length-1.
            frame_positions: frames wanted as decoded RGB, 0 .. length-1.
            accumulated: motion and residual relative to the I-frame; else to the frame before.

        Raises:
            VideoError: no such GOP or position, or the file is damaged there.
        """
        positions, frame_positions = tuple(positions), tuple(frame_positions)
        self._check(gop, positions, frame_positions)
        info = self.info
        shape = (info.height, info.width)
        num_p, num_f = len(positions), len(frame_positions)
        iframe = np.empty((*shape, 3), np.uint8)
        motion = np.empty((num_p, *shape, 2), np.int16)
        residual = np.empty((num_p, *shape, 3), np.int16)
        intra = np.empty((num_p, *shape), np.bool_)
        frames = np.empty((num_f, *shape, 3), np.uint8)
        field, total, spare = (np.zeros((*shape, 2), np.int16) for _ in range(3))
        mask = np.empty(shape, np.bool_)
        rgb, rgb_before = np.empty_like(iframe), np.empty_like(iframe)
        last = max((*positions, *frame_positions, 0))
        for position, (decoded, chain) in enumerate(self._decode(gop, last + 1, bool(positions) and accumulated)):
            picture = _picture(decoded)
            rgb, rgb_before = rgb_before, rgb
            to_rgb(picture, rgb)
            if position == 0:
                iframe[:] = rgb
            else:
                self._paint(decoded, field, mask)
                accumulate(field, total, spare)
                total, spare = spare, total
            for slot in (i for i, wanted in enumerate(positions) if wanted == position):
                motion[slot] = total if accumulated else field
                intra[slot] = mask
                if accumulated:
                    accumulated_residual(picture, _picture(chain), residual[slot])
                else:
                    frame_residual(rgb, rgb_before, field, residual[slot])
            for slot in (i for i, wanted in enumerate(frame_positions) if wanted == position):
                frames[slot] = rgb
        return GopRead(iframe, motion, residual, intra, frames, positions, frame_positions)

    def _check(self, gop: int, positions: tuple[int, ...], frame_positions: tuple[int, ...]) -> None:
        lengths = self.info.gop_lengths
        if not 0 <= gop < len(lengths):
            raise VideoError(self.path, f"has {len(lengths)} GOPs; there is no GOP {gop}")
        for wanted, least in ((positions, 1), (frame_positions, 0)):
            wrong = [position for position in wanted if not least <= position < lengths[gop]]
            if wrong:
                raise VideoError(
                    self.path,
                    f"GOP {gop} has {lengths[gop]} frames; positions {wrong} are outside {least}..{lengths[gop] - 1}",
                )

    def _paint(self, decoded: Any, field: Any, mask: Any) -> None:
        vectors = decoded.side_data.get("MOTION_VECTORS")
        if vectors is None:
            field[:] = 0
            mask[:] = True
        else:
            paint_blocks(vectors.to_ndarray(), field, mask)

    def _decode(self, gop: int, count: int, with_chain: bool) -> Iterator[tuple[Any, Any]]:
        full, skip = self._decoder({"flags2": "+export_mvs"}), self._decoder({"skip_idct": "nokey"})
        start = self._index.key_times[gop]
        done = 0
        try:
            self._container.seek(start, stream=self._stream)
            for packet in self._container.demux(self._stream):
                if packet.dts is not None and packet.dts < start:
                    continue
                decoded = full.decode(packet)
                chain = skip.decode(packet) if with_chain else decoded
                for pair in zip(decoded, chain, strict=True):
                    self._check_frame(pair[0])
                    yield pair
                    done += 1
                    if done == count:
                        return
        except (FFmpegError, ValueError) as error:
            raise VideoError(self.path, f"GOP {gop} cannot be decoded: {error}") from error
        raise VideoError(self.path, f"GOP {gop} ends after {done} frames, {count} are needed; the file is truncated")

    def _decoder(self, options: dict[str, str]) -> Any:
        decoder = av.CodecContext.create(self._stream.codec_context.name, "r")
        decoder.extradata = self._stream.codec_context.extradata
        decoder.options = {**options, "threads": "1"}
        return decoder

    def _check_frame(self, frame: Any) -> None:
        info = self.info
        if (frame.width, frame.height) != (info.width, info.height):
            raise VideoError(
                self.path,
                f"changes size mid-stream from {info.width}x{info.height} to {frame.width}x{frame.height}",
            )
        if frame.is_corrupt:
            raise VideoError(self.path, "holds a damaged frame")


def read_gop(
    path: Path | str,
    gop: int,
    positions: Sequence[int],
    frame_positions: Sequence[int] = (),
    accumulated: bool = True,
) -> GopRead:
    """Opens `path`, reads one GOP, closes it; see `VideoReader.read_gop`."""
    with VideoReader(path) as reader:
        return reader.read_gop(gop, positions, frame_positions, accumulated)
