"""Frames or any readable video become MPEG-4 Part 2 with a fixed GOP: one I-frame, then P-frames."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from cdkd.video.frames import VideoError


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
        frames: each (H, W, 3) uint8 RGB, all of one size, both sides even.
        gop_length: frames from one I-frame to the next.
        quantiser: 1 (finest) .. 31; 1 is what CoViAR used.
        four_vectors: allow a vector per 8 x 8 block where that pays.

    Raises:
        VideoError: no frames, frames of differing size or type, or the file cannot be written.
    """
    reformatter = VideoReformatter()
    pictures = (
        reformatter.reformat(av.VideoFrame.from_ndarray(frame, format="rgb24"), format="yuv420p", threads=1)
        for frame in _checked(Path(path), frames)
    )
    return _write(Path(path), pictures, frames_per_second, gop_length, quantiser, four_vectors)


def transcode(
    source: Path | str,
    target: Path | str,
    *,
    width: int = 320,
    height: int = 256,
    gop_length: int = 12,
    quantiser: int = 3,
    four_vectors: bool = True,
) -> int:
    """Re-encodes any video that FFmpeg reads, resized to `width` x `height`. Returns the number of frames.

    Raises:
        VideoError: the source cannot be decoded to its end, holds no video, or the target cannot be written.
    """
    source, target = Path(source), Path(target)
    try:
        container = av.open(str(source), "r")
    except (FFmpegError, OSError, ValueError) as error:
        raise VideoError(source, f"cannot be opened as a video: {error}") from error
    with container:
        if not container.streams.video:
            raise VideoError(source, "holds no video stream")
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        pictures = _resized(source, container, stream, width, height)
        return _write(target, pictures, float(rate), gop_length, quantiser, four_vectors)


def _resized(source: Path, container: Any, stream: Any, width: int, height: int) -> Iterator[Any]:
    reformatter = VideoReformatter()
    num_frames = 0
    try:
        for frame in container.decode(stream):
            num_frames += 1
            yield reformatter.reformat(
                frame, width=width, height=height, format="yuv420p", interpolation="BICUBIC", threads=1
            )
    except FFmpegError as error:
        raise VideoError(source, f"cannot be decoded after {num_frames} frames: {error}") from error
    if num_frames == 0:
        raise VideoError(source, "holds no frames")


def _checked(path: Path, frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    first: tuple[int, ...] | None = None
    for index, frame in enumerate(frames):
        first = first or frame.shape
        is_even = frame.ndim == 3 and frame.shape[2] == 3 and not (frame.shape[0] % 2 or frame.shape[1] % 2)
        if frame.shape != first or frame.dtype != np.uint8 or not is_even:
            raise VideoError(
                path, f"frame {index} is {frame.shape} {frame.dtype}; expected {first} uint8 with even height and width"
            )
        yield np.ascontiguousarray(frame)


def _write(
    path: Path, pictures: Iterator[Any], frames_per_second: float, gop_length: int, quantiser: int, four_vectors: bool
) -> int:
    if not 1 <= quantiser <= 31 or not 1 <= gop_length <= 600 or not frames_per_second > 0:
        raise VideoError(
            path,
            f"quantiser {quantiser} must lie in 1..31, gop_length {gop_length} in 1..600, "
            f"frames_per_second {frames_per_second} above 0",
        )
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem[:80]}.", suffix=f".part{path.suffix}", dir=path.parent)
    except OSError as error:
        raise VideoError(path, f"cannot be written: {error.strerror}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        num_frames = _encode(path, temporary, pictures, frames_per_second, gop_length, quantiser, four_vectors)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except (FFmpegError, OSError) as error:
        raise VideoError(path, f"cannot be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return num_frames


def _encode(
    path: Path,
    temporary: Path,
    pictures: Iterator[Any],
    frames_per_second: float,
    gop_length: int,
    quantiser: int,
    four_vectors: bool,
) -> int:
    num_frames = 0
    # MPEG-4 Part 2 stores the clock's ticks per second in 16 bits.
    rate = Fraction(frames_per_second).limit_denominator(1001)
    with av.open(str(temporary), "w", options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream("mpeg4", rate=rate)
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.thread_count = 1
        context.qmin = context.qmax = quantiser
        context.options = {
            "g": str(gop_length),
            "bf": "0",
            "sc_threshold": "1000000000",
            "flags": "+bitexact+qscale" + ("+mv4" if four_vectors else ""),
            "global_quality": str(quantiser * 118),
            # Blocks chosen by difference, not by rate and distortion: at a fixed fine quantiser the latter codes a
            # fifth of all blocks without prediction, which leaves neither motion nor residual to learn from.
            "mbd": "simple",
        }
        for picture in pictures:
            if num_frames == 0:
                stream.width, stream.height = picture.width, picture.height
            picture.pts, picture.time_base, picture.pict_type = num_frames, 1 / rate, 0
            container.mux(stream.encode(picture))
            num_frames += 1
        if num_frames == 0:
            raise VideoError(path, "there are no frames to write")
        container.mux(stream.encode(None))
    return num_frames
