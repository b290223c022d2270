"""Tells whether a video file ends before its container says it should; FFmpeg itself decodes such files in silence.

What a container says of its length, and what is believed of it:

    container            says                       a file is cut off where ...
    any                  number of frames           less than 95 % of them, and three more, are missing
    any without that     seconds                    all streams end before 95 % of them, and a quarter second
    MP4, MOV             number of frames, exactly  one is missing                                         (strict)
    AVI, Matroska, WebM  its own bytes              it is shorter than that, and a frame is missing        (strict)

Strict is the reader, which must not take a part for the whole. A preparation of thousands of published files goes by
the first two rules, because headers are often wrong by a little.
"""

import os
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from cdkd.video.opening import irregular_reason

_LEAST_FRACTION = 0.95
_SLACK_PACKETS = 3
_SLACK_SECONDS = 0.25
_COUNTING_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2",)
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"


class TruncatedError(Exception):
    """A file's packets end too early; the text says where, without the path."""


class PacketTally:
    """Counts a container's packets as they are read, and compares them with what its header says."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._video = container.streams.video[0]
        self.num_packets = 0
        """Of the first video stream, those that hold something."""
        self._num_frames = 0
        self._end_seconds = 0.0

    @property
    def streams(self) -> tuple[Any, ...]:
        """Those whose packets are needed: all, where only seconds can be compared and others may last longer."""
        return (self._video,) if self._video.frames else tuple(self._container.streams)

    def add(self, packet: Any) -> None:
        """Counts one of them."""
        if packet.stream_index == self._video.index and (packet.size or packet.dts is not None):
            self.num_packets += packet.size > 0
            # A picture that an AVI repeats takes a tick of its clock but gives no packet.
            ticks = (packet.dts or 0) + 1 if self._container.format.name == "avi" else 0
            self._num_frames = max(self._num_frames + 1, ticks)
        if packet.pts is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._end_seconds = max(self._end_seconds, end)

    def shortfall(self) -> str:
        """What is there of what should be, after the last packet; empty: all, or nearly."""
        declared = self._video.frames
        if self._num_frames < _LEAST_FRACTION * declared - _SLACK_PACKETS:
            return f"holds {self._num_frames} of {declared} frames"
        measured, promised = self._seconds()
        if declared == 0 and measured < _LEAST_FRACTION * promised - _SLACK_SECONDS:
            return f"ends after {measured:.1f} of {promised:.1f} seconds"
        return ""

    def strict_shortfall(self, path: Path) -> str:
        """The same, by the strict rules too."""
        declared = self._video.frames
        has_fewer = self._num_frames < declared
        if has_fewer and (self._container.format.name in _COUNTING_CONTAINERS or _is_shorter_than_it_says(path)):
            return f"holds {self._num_frames} of {declared} frames"
        measured, promised = self._seconds()
        half_a_frame = 0.5 / float(self._video.average_rate or 25)
        if declared == 0 and measured < promised - half_a_frame and _is_shorter_than_it_says(path):
            return f"ends after {measured:.2f} of {promised:.2f} seconds"
        return self.shortfall()

    def _seconds(self) -> tuple[float, float]:
        start = (self._container.start_time or 0) / av.time_base
        return self._end_seconds - start, (self._container.duration or 0) / av.time_base


def _is_shorter_than_it_says(path: Path) -> bool:
    """By the size that the outermost box of an AVI, Matroska or WebM file gives itself; others do not say it."""
    num_bytes = path.stat().st_size
    with open(path, "rb") as stream:
        head = stream.read(4096)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        size = int.from_bytes(head[4:8], "little")
        return size < 0xFFFFFFFF and 8 + size > num_bytes
    start = head.find(_MATROSKA_SEGMENT)
    if head[:4] == b"\x1a\x45\xdf\xa3" and 0 <= start < len(head) - 12:
        # The number of leading zeros says how many bytes the size takes; all ones: unknown, as in a live stream.
        start += len(_MATROSKA_SEGMENT)
        length = 9 - head[start].bit_length()
        unknown = (1 << 7 * length) - 1
        size = int.from_bytes(head[start : start + length], "big") & unknown
        return size != unknown and start + length + size > num_bytes
    return False


def count_packets(path: Path) -> int:
    """Reads a file's packets, decoding none, and counts those of its first video stream that hold something.

    Raises:
        TruncatedError: the packets end well before the container's header says.
    """
    try:
        if irregular_reason(os.stat(path).st_mode):
            return 0
        with av.open(f"file:{path.absolute()}") as container:
            if not container.streams.video:
                return 0
            tally = PacketTally(container)
            for packet in container.demux(*tally.streams):
                tally.add(packet)
            shortfall = tally.shortfall()
    except (FFmpegError, OSError, ValueError):
        return 0  # transcoding meets the same error and says more about it
    if shortfall:
        raise TruncatedError(f"cut off: {shortfall}")
    return tally.num_packets
