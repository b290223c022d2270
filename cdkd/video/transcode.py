"""Frames or any readable video become MPEG-4 Part 2 with a fixed GOP: one I-frame, then P-frames."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from cdkd.atomic_write import atomic_file
from cdkd.callbacks import Progress
from cdkd.video.frames import VideoError
from cdkd.video.integrity import TruncatedError, count_packets
from cdkd.video.opening import open_video
from cdkd.video.packets import complete_packed

# Bit-exact: the same file on every processor, at the price of slower conversion.
_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_LAMBDA_PER_QUANTISER = 118  # FFmpeg's FF_QP2LAMBDA
_FRAMES_PER_REPORT = 25
_LEAST_DECODED = 0.5
_MAX_CLOCK = 65535  # MPEG-4 Part 2 stores its clock's ticks per second in 16 bits.


@dataclass(frozen=True)
class _Encoding:
    """How a file is encoded."""

    path: Path
    frames_per_second: float
    gop_length: int
    quantiser: int
    four_vectors: bool

    def __post_init__(self) -> None:
        if not 1 <= self.quantiser <= 31:
            raise VideoError(self.path, f"cannot be written: quantiser {self.quantiser} must lie in 1..31")
        if not 1 <= self.gop_length <= 600:
            raise VideoError(self.path, f"cannot be written: gop_length {self.gop_length} must lie in 1..600")
        if not 0 < self.frames_per_second <= 1000:
            reason = f"cannot be written: {self.frames_per_second} frames per second; it must be above 0, up to 1000"
            raise VideoError(self.path, reason)

    @property
    def rate(self) -> Fraction:
        """Frames per second as a fraction that the codec can store."""
        # 1001 for the rates of NTSC (30000 / 1001); less where the numerator would not fit into 16 bits.
        return Fraction(self.frames_per_second).limit_denominator(min(1001, int(_MAX_CLOCK / self.frames_per_second)))

    @property
    def options(self) -> dict[str, str]:
        """The encoder's options."""
        quantiser, lagrangian = str(self.quantiser), str(self.quantiser * _LAMBDA_PER_QUANTISER)
        return {
            "g": str(self.gop_length),
            "bf": "0",
            # A cut in the scene must not bring an I-frame in the middle of a GOP: every GOP is to be of one length.
            "sc_threshold": "1000000000",
            "flags": "+bitexact" + ("+mv4" if self.four_vectors else ""),
            # A rate control that may choose among one value only. FFmpeg's `qscale` flag would take the quantiser from
            # each frame, where PyAV cannot set it, and weigh vectors as if their bits cost nothing.
            "qmin": quantiser,
            "qmax": quantiser,
            "lmin": lagrangian,
            "lmax": lagrangian,
            # The portable transform: others, picked by processor, round differently.
            "dct": "int",
        }


def encode_frames(
    path: Path | str,
    frames: Iterable[NDArray[np.uint8]],
    *,
    frames_per_second: float,
    gop_length: int = 12,
    quantiser: int = 3,
    four_vectors: bool = True,
) -> int:
    """Encodes RGB frames; equal frames and settings give equal bytes. Returns the number of frames.

    The file appears under its name only when it is complete.

    Args:
        path: the container follows from its suffix; `.mp4` and `.avi` are meant.
        frames: each (H, W, 3) uint8 RGB, all of one size, both sides even.
        gop_length: frames from one I-frame to the next.
        quantiser: 1 (finest) .. 31; 1 is what CoViAR used.
        four_vectors: allow a vector per 8 x 8 block where that pays.

    Raises:
        VideoError: no frames, frames of differing size or type, or the file cannot be written.
    """
    encoding = _Encoding(Path(path), frames_per_second, gop_length, quantiser, four_vectors)
    reformatter = VideoReformatter()
    pictures = (
        _converted(reformatter, av.VideoFrame.from_ndarray(frame, format="rgb24"), frame.shape[1], frame.shape[0])
        for frame in _checked(encoding.path, frames)
    )
    return _write(encoding, pictures)


def transcode(
    source: Path | str,
    target: Path | str,
    *,
    width: int | None = 320,
    height: int | None = 256,
    gop_length: int = 12,
    quantiser: int = 3,
    four_vectors: bool = True,
    must_be_whole: bool = False,
    least_frames: int = 1,
    progress: Progress | None = None,
) -> int:
    """Re-encodes any video that FFmpeg reads, upright and resized to `width` x `height`, frame by frame.

    Every decoded frame becomes one frame, at the source's average rate. Returns the number of frames.

    Args:
        width: pixels; None: what keeps the source's proportions, or its size where both are None. Then both sides are
            rounded to whole macroblocks of 16 pixels, which every kind of residual can be read from.
        height: the same.
        must_be_whole: a source that is cut off, or of which less than half can be decoded, is an error.
        least_frames: fewer are an error too.
        progress: called now and then, where the source says how long it is.

    Raises:
        VideoError: the source cannot be decoded to its end, holds no video, or the target cannot be written; what was
            there before is kept.
    """
    source = Path(source)
    num_packets = _whole_packets(source) if must_be_whole else 0
    container, stream = open_video(source)
    with container:
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        encoding = _Encoding(Path(target), float(rate), gop_length, quantiser, four_vectors)
        pictures = _resized(source, container, stream, (width, height), progress)
        return _write(encoding, _enough(source, pictures, num_packets, least_frames))


def _whole_packets(source: Path) -> int:
    try:
        return count_packets(source)
    except TruncatedError as error:
        raise VideoError(source, str(error)) from error


def _enough(source: Path, pictures: Iterator[Any], num_packets: int, least_frames: int) -> Iterator[Any]:
    num_frames = 0
    for picture in pictures:
        num_frames += 1
        yield picture
    # Interlaced and packed videos hold more packets than frames, so not all packets can be asked for.
    if num_frames < max(least_frames, _LEAST_DECODED * num_packets):
        reason = f"only {num_frames} of {num_packets} frames can be decoded, {least_frames} are the least"
        raise VideoError(source, reason)


def _resized(
    source: Path, container: Any, stream: Any, wanted: tuple[int | None, int | None], progress: Progress | None
) -> Iterator[Any]:
    reformatter = VideoReformatter()
    num_frames = 0
    seconds = (container.duration or 0) / av.time_base
    # One thread: callers run a process per core.
    stream.codec_context.thread_count = 1
    try:
        for frame in _decoded(container, stream):
            # A camera held upright writes lying pictures and how far to turn them, counter-clockwise.
            turns = round(frame.rotation / 90) % 4
            lying = (frame.height, frame.width) if turns % 2 else (frame.width, frame.height)
            width, height = target_size(lying, wanted)
            picture = _converted(reformatter, frame, *((height, width) if turns % 2 else (width, height)))
            num_frames += 1
            if progress and seconds and frame.time is not None and num_frames % _FRAMES_PER_REPORT == 0:
                progress(min(frame.time / seconds, 1.0))
            yield _turned(picture, turns) if turns else picture
    except FFmpegError as error:
        raise VideoError(source, f"cannot be decoded after {num_frames} frames: {error.strerror}") from error
    if num_frames == 0:
        raise VideoError(source, "holds no frames that can be decoded")
    if progress:
        progress(1.0)


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """All frames, by the stream's own decoder, which alone knows how pictures are turned."""
    packets = container.demux(stream)
    if stream.codec_context.name == "mpeg4":
        packets = complete_packed(packets, stream.codec_context.extradata)
    for packet in packets:
        yield from stream.decode(packet)


def target_size(source: tuple[int, int], wanted: tuple[int | None, int | None]) -> tuple[int, int]:
    """Width and height to encode, of a source's; a side that is None keeps proportions, in whole macroblocks."""
    width, height = wanted
    if width is not None and height is not None:
        return width, height
    if width is not None:
        scale = width / source[0]
    elif height is not None:
        scale = height / source[1]
    else:
        scale = 1.0
    return width or _whole_macroblocks(scale * source[0]), height or _whole_macroblocks(scale * source[1])


def _whole_macroblocks(pixels: float) -> int:
    return max(16 * round(pixels / 16), 16)


def _converted(reformatter: VideoReformatter, frame: Any, width: int, height: int) -> Any:
    return reformatter.reformat(
        frame,
        width=width,
        height=height,
        format="yuv420p",
        interpolation=_SCALING,
        dst_colorspace=Colorspace.ITU601,
        dst_color_range=ColorRange.MPEG,
        threads=1,
    )


def _turned(picture: Any, turns: int) -> Any:
    """A yuv420p picture turned by quarter turns counter-clockwise."""
    width, height = (picture.height, picture.width) if turns % 2 else (picture.width, picture.height)
    turned = av.VideoFrame(width, height, "yuv420p")
    for before, after in zip(picture.planes, turned.planes, strict=True):
        pixels = np.frombuffer(before, np.uint8).reshape(-1, before.line_size)[: before.height, : before.width]
        # Rows are padded in both pictures, and by different amounts where width and height differ.
        padded = np.zeros((after.height, after.line_size), np.uint8)
        padded[:, : after.width] = np.rot90(pixels, turns)
        after.update(padded.tobytes())
    return turned


def _checked(path: Path, frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    first: tuple[int, ...] | None = None
    for index, frame in enumerate(frames):
        first = first or frame.shape
        is_even = frame.ndim == 3 and frame.shape[2] == 3 and not (frame.shape[0] % 2 or frame.shape[1] % 2)
        if frame.shape != first or frame.dtype != np.uint8 or not is_even:
            raise VideoError(
                path,
                f"cannot be written: frame {index} is {frame.shape} {frame.dtype}; "
                f"(H, W, 3) uint8 with even sides is needed, all as the first one, {first}",
            )
        yield np.ascontiguousarray(frame)


def _write(encoding: _Encoding, pictures: Iterator[Any]) -> int:
    path = encoding.path
    try:
        # Waiting for the disk after each of thousands of videos would cost more than encoding one anew.
        with atomic_file(path, suffix=f".part{path.suffix}", is_synced=False) as temporary:
            return _encode(encoding, temporary, pictures)
    except (FFmpegError, OSError, ValueError) as error:
        raise VideoError(path, f"cannot be written: {getattr(error, 'strerror', None) or error}") from error


def _encode(encoding: _Encoding, temporary: Path, pictures: Iterator[Any]) -> int:
    num_frames = 0
    with av.open(f"file:{os.path.abspath(temporary)}", "w", options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream("mpeg4", rate=encoding.rate)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.options = encoding.options
        for picture in pictures:
            if num_frames == 0:
                # The size is known with the first picture alone, since a video may be turned.
                stream.width, stream.height = picture.width, picture.height
            # The encoder decides which frames are I-frames, not the source's own types.
            picture.pts, picture.time_base, picture.pict_type = num_frames, 1 / encoding.rate, 0
            container.mux(stream.encode(picture))
            num_frames += 1
        if num_frames == 0:
            raise VideoError(encoding.path, "cannot be written: there are no frames")
        container.mux(stream.encode(None))
    return num_frames
