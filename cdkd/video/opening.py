"""Opens a video file and makes decoders for its stream."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from cdkd.video.frames import VideoError

REMEDY = "re-encode it with `cdkd data transcode` (a whole data set: `cdkd data prepare`)"

PICTURE_TYPES = "?IPBS"
"""By FFmpeg's AVPictureType, the types that occur here; S: global motion compensation."""

_IRREGULAR = {
    stat.S_IFDIR: os.strerror(errno.EISDIR),
    stat.S_IFIFO: "is a pipe (FIFO), not a file",
    stat.S_IFSOCK: "is a socket, not a file",
    stat.S_IFCHR: "is a device, not a file",
    stat.S_IFBLK: "is a device, not a file",
}


def irregular_reason(mode: int) -> str:
    """Why what has these `st_mode` bits is never opened: a pipe would be waited for without end; empty: a file."""
    return "" if stat.S_ISREG(mode) else _IRREGULAR.get(stat.S_IFMT(mode), "is no file")


def open_video(path: Path) -> tuple[Any, Any]:
    """The container and its first video stream; the caller closes the container.

    Raises:
        VideoError: missing, unreadable, empty, no file, no video, or nothing that FFmpeg knows.
    """
    try:
        status = os.stat(path)
        if reason := irregular_reason(status.st_mode):
            raise VideoError(path, f"cannot be opened as a video: {reason}")
        if status.st_size == 0:
            raise VideoError(path, "is empty (0 bytes)")
        # Without a protocol FFmpeg would take the part of a name before a colon for one.
        container = av.open(f"file:{os.path.abspath(path)}", "r")
    except (FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(path, f"cannot be opened as a video: {reason}") from error
    try:
        if not container.streams.video or container.streams.video[0].codec_context is None:
            raise VideoError(path, "holds no video stream that can be decoded")
        stream = container.streams.video[0]
        if stream.codec_context.width == 0 or stream.codec_context.pix_fmt is None:
            raise VideoError(path, "its video stream says neither size nor pixel format; it is damaged or cut short")
    except VideoError:
        container.close()
        raise
    return container, stream


def new_decoder(stream: Any, options: dict[str, str]) -> Any:
    """A decoder of a stream beside the stream's own.

    One thread, because a data loader has a process for each core, and frame threads would decode ahead of the last
    wanted frame; bit-exact: the same pixels on every processor.
    """
    source = stream.codec_context
    decoder: Any = av.CodecContext.create(source.name, "r")
    decoder.extradata = source.extradata
    # The tag tells FFmpeg which encoder's known faults to make up for. PyAV hands out tags of ASCII characters only,
    # and none of these encoders has another.
    with suppress(UnicodeDecodeError):
        decoder.codec_tag = source.codec_tag
    decoder.options = {"threads": "1", **options, "flags": "+bitexact" + options.get("flags", "")}
    return decoder


def picture_type_of(frame: Any) -> str:
    """The type of a decoded frame, one letter of `PICTURE_TYPES`."""
    return PICTURE_TYPES[min(frame.pict_type, 4)]
