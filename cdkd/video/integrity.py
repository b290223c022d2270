"""Tells whether a video file ends before its container says it should; FFmpeg itself decodes such files in silence."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

_LEAST_FRACTION = 0.95
_SLACK_PACKETS = 3
_SLACK_SECONDS = 0.25


def count_packets(path: Path) -> int:
    """Reads a file's packets, decoding none, and counts those of its first video stream.

    Raises:
        TruncatedError: the packets end before the container's header says.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                return 0
            video = container.streams.video[0]
            declared_packets, num_packets, end_seconds = video.frames, 0, 0.0
            for packet in _packets(container):
                num_packets += packet.stream_index == video.index
                if packet.pts is not None:
                    end_seconds = max(end_seconds, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            start_seconds = (container.start_time or 0) / av.time_base
            declared_seconds = (container.duration or 0) / av.time_base
    except (FFmpegError, ValueError):
        return 0  # transcoding meets the same error and says more about it
    if num_packets < _LEAST_FRACTION * declared_packets - _SLACK_PACKETS:
        raise TruncatedError(f"cut off: holds {num_packets} of {declared_packets} frames")
    # Streams may differ in length, so only an end before that of all streams tells something.
    measured_seconds = end_seconds - start_seconds
    if declared_packets == 0 and measured_seconds < _LEAST_FRACTION * declared_seconds - _SLACK_SECONDS:
        raise TruncatedError(f"cut off: ends after {measured_seconds:.1f} of {declared_seconds:.1f} seconds")
    return num_packets


class TruncatedError(Exception):
    """A file's packets end too early; the text says where, without the path."""


def _packets(container: Any) -> Iterator[Any]:
    """Packets that hold something."""
    for packet in container.demux():
        if packet.size:
            yield packet
