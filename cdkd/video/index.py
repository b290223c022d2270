"""A file's structure, read once from its packets without decoding: which frames, which GOPs, readable or not."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from av.error import FFmpegError

from cdkd.video.frames import StreamInfo, VideoError
from cdkd.video.h264_headers import parse_sequence
from cdkd.video.integrity import PacketTally
from cdkd.video.mpeg4_headers import FrameHeader, Layer, parse_frames, parse_layer
from cdkd.video.opening import REMEDY, open_video

_PIXEL_FORMATS = ("yuv420p", "yuvj420p")


@dataclass(frozen=True)
class Index:
    """A file's structure."""

    info: StreamInfo
    key_times: tuple[int, ...]
    """Decoding time of each GOP's key frame, in the stream's time base."""
    roundings: tuple[str, ...]
    """MPEG-4: `vop_rounding_type` of each GOP's frames, as digits in display order."""


def index_video(path: Path) -> Index:
    """The structure of a file; read again only when its size or time of change differ.

    Raises:
        VideoError: the file cannot be read, is damaged or cut short.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise VideoError(path, f"cannot be read: {error.strerror}") from error
    return _index(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=65536)
def _index(path: Path, size: int, modified_ns: int) -> Index:
    # Size and time are not used in here: they are part of the cache's key, so a changed file is another entry.
    container, stream = open_video(path)
    try:
        if stream.codec_context.name == "mpeg4":
            return _index_mpeg4(path, container, stream)
        return _index_other(path, container, stream)
    except FFmpegError as error:
        raise VideoError(path, f"its packets cannot be read: {error.strerror}") from error
    except EOFError as error:
        raise VideoError(path, f"its headers are damaged: {error}") from error
    finally:
        container.close()


def _packets(path: Path, container: Any, stream: Any) -> Iterator[Any]:
    """All of a stream's packets that hold something, checked against what the container promises."""
    count, tally = 0, PacketTally(container)
    for packet in container.demux(*tally.streams):
        tally.add(packet)
        if packet.stream_index != stream.index:
            continue
        if packet.is_corrupt:
            raise VideoError(path, f"is damaged or cut short at packet {count}")
        if packet.size and packet.dts is None:
            raise VideoError(path, f"has no time stamps in its {container.format.name} container; {REMEDY}")
        if packet.size:
            count += 1
            yield packet
    if shortfall := tally.strict_shortfall(path):
        raise VideoError(path, f"is cut short: {shortfall}")


def _index_mpeg4(path: Path, container: Any, stream: Any) -> Index:
    # MP4 keeps the stream's headers beside its packets, AVI often within the first one.
    layer = parse_layer(stream.codec_context.extradata or b"")
    key_times: list[int] = []
    decoded: list[tuple[int, FrameHeader]] = []
    for packet in _packets(path, container, stream):
        data = bytes(packet)
        # Streams without headers of their own, as in AVI, repeat them in each key packet.
        layer = layer or parse_layer(data)
        # A packet may hold none, one, or two frames (`packets.py`).
        coded = [header for header in parse_frames(data, layer) if header.is_coded] if layer else []
        if packet.is_keyframe and coded:
            key_times.append(packet.dts)
        # Frames before the first key frame cannot be decoded, and count for nothing.
        if key_times:
            decoded.extend((len(key_times) - 1, header) for header in coded)
    if not key_times or layer is None:
        raise VideoError(path, "holds no key frame")
    gops = display_order(decoded, len(key_times))
    info = _mpeg4_info(path, container, stream, layer, gops)
    # Interned: the GOPs of a data set share a few texts, and this cache holds many files.
    roundings = tuple(sys.intern("".join(str(header.rounding) for header in gop)) for gop in gops)
    return Index(info, tuple(key_times), roundings)


def display_order(decoded: Iterable[tuple[int, FrameHeader]], num_gops: int) -> list[list[FrameHeader]]:
    """Frames in decoding order, each with the number of its GOP, become each GOP's frames in display order.

    A B-frame is shown before the reference frame that was decoded last, so it belongs to the GOP of the one before
    that; B-frames with no such frame cannot be decoded and are left out.
    """
    gops: list[list[FrameHeader]] = [[] for _ in range(num_gops)]
    shown: int | None = None
    waiting: tuple[int, FrameHeader] | None = None
    for gop, header in decoded:
        if header.picture_type == "B":
            # Shown at once: before the reference that waits, behind all that has been shown.
            if shown is not None:
                gops[shown].append(header)
            continue
        # A reference (I, P) is shown when the next one comes: until then B-frames may come that are shown before it.
        if waiting:
            shown = waiting[0]
            gops[shown].append(waiting[1])
        waiting = (gop, header)
    if waiting:
        gops[waiting[0]].append(waiting[1])
    return gops


def _mpeg4_info(path: Path, container: Any, stream: Any, layer: Layer, gops: list[list[FrameHeader]]) -> StreamInfo:
    types = tuple(sys.intern("".join(header.picture_type for header in gop)) for gop in gops)
    unsupported_reason = _format_unsupported_reason(stream)
    if layer.is_interlaced:
        unsupported_reason = f"is interlaced: its blocks refer to half pictures; {REMEDY}"
    elif layer.has_sprites:
        unsupported_reason = f"uses global motion compensation, for which FFmpeg hands out no vectors; {REMEDY}"
    # An I-frame within a GOP would end the chain of predictions in its middle.
    elif any(gop_types.rfind("I") != 0 for gop_types in types):
        unsupported_reason = f"has key frames that its {container.format.name} container does not mark; {REMEDY}"
    frame_unsupported_reason = unsupported_reason
    if not unsupported_reason and layer.is_quarter_pixel:
        frame_unsupported_reason = (
            f"has quarter-pixel vectors, whose residual per frame cannot be had exactly; {REMEDY}"
        )
    elif not unsupported_reason and (layer.width % 16 or layer.height % 16):
        frame_unsupported_reason = (
            f"is {layer.width}x{layer.height}: a residual per frame is exact only where both are multiples of 16; "
            f"{REMEDY}"
        )
    return _info(
        path, container, stream, types, any("B" in t for t in types), unsupported_reason, frame_unsupported_reason
    )


def _index_other(path: Path, container: Any, stream: Any) -> Index:
    """H.264, and codecs of which only the outline can be told."""
    key_times: list[int] = []
    lengths: list[int] = []
    has_reordering = bool(stream.codec_context.has_b_frames)
    last_pts = None
    for packet in _packets(path, container, stream):
        if packet.is_keyframe:
            key_times.append(packet.dts)
            lengths.append(0)
        if lengths:
            lengths[-1] += 1
        # Headers that were written without care deny B-frames; times that go back cannot.
        if packet.pts is not None:
            has_reordering |= last_pts is not None and packet.pts < last_pts
            last_pts = packet.pts
    if not lengths:
        raise VideoError(path, "holds no key frame")
    unsupported_reason = _h264_unsupported_reason(stream, has_reordering)
    types = tuple("?" * length for length in lengths)
    info = _info(path, container, stream, types, has_reordering, unsupported_reason, unsupported_reason)
    return Index(info, tuple(key_times), ())


def _h264_unsupported_reason(stream: Any, has_reordering: bool) -> str:
    name = stream.codec_context.name
    if name != "h264":
        return f"is {name}, of which FFmpeg hands out no motion vectors cdkd can use; {REMEDY}"
    if has_reordering:
        return f"is H.264 with B-frames, whose blocks refer to later frames; {REMEDY}"
    sequence = parse_sequence(stream.codec_context.extradata or b"")
    if sequence is None:
        return f"is H.264 without parameter sets in its header; {REMEDY}"
    if sequence.num_reference_frames > 1:
        return (
            f"is H.264 whose P-frames may refer to any of {sequence.num_reference_frames} frames, and FFmpeg does not "
            f"say to which; {REMEDY}"
        )
    if sequence.is_interlaced:
        return f"is interlaced H.264; {REMEDY}"
    return _format_unsupported_reason(stream)


def _format_unsupported_reason(stream: Any) -> str:
    pixel_format = stream.codec_context.pix_fmt
    return "" if pixel_format in _PIXEL_FORMATS else f"stores its pixels as {pixel_format}, not yuv420p; {REMEDY}"


def _info(
    path: Path,
    container: Any,
    stream: Any,
    types: tuple[str, ...],
    has_b_frames: bool,
    unsupported_reason: str,
    frame_unsupported_reason: str,
) -> StreamInfo:
    context = stream.codec_context
    return StreamInfo(
        path=path,
        codec=context.name,
        profile=str(context.profile or ""),
        container=container.format.name,
        pixel_format=str(context.pix_fmt),
        width=context.width,
        height=context.height,
        frames_per_second=float(stream.average_rate or stream.guessed_rate or 0),
        num_frames=sum(map(len, types)),
        gop_lengths=tuple(map(len, types)),
        frame_types=types if context.name == "mpeg4" else (),
        has_b_frames=has_b_frames,
        unsupported_reason=unsupported_reason,
        frame_residual_unsupported_reason=frame_unsupported_reason,
    )
