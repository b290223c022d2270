"""Decodes one GOP, fully and without the P-frames' inverse transform, frame by frame in step."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.sidedata.sidedata import SideDataContainer
from numpy.typing import NDArray

from cdkd.video.colour import Picture, picture_of
from cdkd.video.frames import StreamInfo, VideoError
from cdkd.video.motion import VECTOR_TYPE

_LETTERS = "?IPBS"
_NO_VECTORS = np.empty(0, VECTOR_TYPE)

# One thread: a data loader has a process for each core, and frame threads would decode ahead of the last wanted frame.
# Bit-exact: the same pixels on every processor. Explode: damage is an error, not a guess.
_COMMON = {"threads": "1", "flags": "+bitexact", "err_detect": "explode"}
_WITH_VECTORS = {**_COMMON, "flags2": "+export_mvs"}
_PREDICTION_ONLY = {**_COMMON, "skip_idct": "nokey"}


class DecodedFrame:
    """One frame; its arrays are views of the decoder's memory and hold it, made when they are first asked for."""

    def __init__(self, frame: Any, chain: Any) -> None:
        self._frame = frame
        self._chain = chain
        self.letter = _LETTERS[min(frame.pict_type, 4)]
        """I, P, B or S."""

    @cached_property
    def picture(self) -> Picture:
        """The decoded planes."""
        return picture_of(self._frame)

    @cached_property
    def chain(self) -> Picture | None:
        """The same frame as predicted from the GOP's I-frame by vectors alone; None if not asked for."""
        return None if self._chain is None else picture_of(self._chain)

    @cached_property
    def vectors(self) -> NDArray[Any]:
        """(N,) `VECTOR_TYPE`."""
        # `frame.side_data` would tie both into a cycle that keeps the picture until a garbage collection.
        vectors = SideDataContainer(self._frame).get("MOTION_VECTORS")  # type: ignore[call-arg]
        return _NO_VECTORS if vectors is None else np.frombuffer(vectors, VECTOR_TYPE)


class GopDecoder:
    """Decodes GOPs of one open stream, in any order; its decoders, and the memory of their pictures, are made once."""

    def __init__(self, container: Any, stream: Any, info: StreamInfo) -> None:
        self._container = container
        self._stream = stream
        self._info = info
        self._decoders: dict[str, Any] = {}

    def decode(self, gop: int, key_time: int, num_frames: int, with_chain: bool) -> Iterator[DecodedFrame]:
        """The first `num_frames` of a GOP in display order; no packet is decoded after the last of them is out.

        Raises:
            VideoError: the GOP is damaged, ends early, or its picture size changes.
        """
        info = self._info
        full = self._fresh("full", _WITH_VECTORS)
        skipping = self._fresh("chain", _PREDICTION_ONLY) if with_chain else None
        done = 0
        try:
            for packet in _packets_from(self._container, self._stream, info, key_time):
                frames = full.decode(packet)
                chains = skipping.decode(packet) if skipping else [None] * len(frames)
                for frame, chain in zip(frames, chains, strict=True):
                    decoded = DecodedFrame(frame, chain)
                    _check_frame(info, gop, done, frame, decoded.letter)
                    yield decoded
                    done += 1
                    if done == num_frames:
                        return
        except FFmpegError as error:
            # What a decoder makes of the next GOP must not depend on damage in this one.
            self._decoders.clear()
            raise VideoError(info.path, f"frame {done} of GOP {gop} is damaged: {error.strerror}") from error
        raise VideoError(info.path, f"GOP {gop} is cut short: it gives {done} frames where {num_frames} are needed")

    def _fresh(self, name: str, options: dict[str, str]) -> Any:
        """A decoder that remembers no frame."""
        if name in self._decoders:
            self._decoders[name].flush_buffers()
        else:
            self._decoders[name] = _decoder(self._stream, self._info, options)
        return self._decoders[name]


def _decoder(stream: Any, info: StreamInfo, options: dict[str, str]) -> Any:
    decoder = av.CodecContext.create(info.codec, "r")
    decoder.extradata = stream.codec_context.extradata
    # The tag tells FFmpeg which encoder's known faults to make up for.
    decoder.codec_tag = stream.codec_context.codec_tag
    # Without B-frames no frame has to wait for the next one.
    decoder.options = options if info.has_b_frames else {**options, "flags": options["flags"] + "+low_delay"}
    return decoder


def _packets_from(container: Any, stream: Any, info: StreamInfo, key_time: int) -> Iterator[Any]:
    """Packets from the key frame on, then what makes a decoder give up the frame that it holds back."""
    key = None
    container.seek(key_time, stream=stream, backward=True)
    for packet in container.demux(stream):
        if packet.dts is None:
            if key is not None and info.codec == "mpeg4":
                # Emptied by an empty packet, this decoder would leave out the last frame's vectors.
                yield key
            yield packet
        elif packet.dts >= key_time and packet.size:
            key = key or packet
            yield packet


def _check_frame(info: StreamInfo, gop: int, position: int, frame: Any, letter: str) -> None:
    if (frame.width, frame.height) != (info.width, info.height):
        raise VideoError(
            info.path,
            f"changes size from {info.width}x{info.height} to {frame.width}x{frame.height} in GOP {gop}; "
            "re-encode it with `cdkd data prepare`",
        )
    if frame.is_corrupt:
        raise VideoError(info.path, f"frame {position} of GOP {gop} is damaged")
    expected = info.frame_types[gop][position] if info.frame_types else letter
    if letter != expected:
        raise VideoError(
            info.path,
            f"frame {position} of GOP {gop} decodes as {letter} where its headers promise {expected}; "
            "re-encode it with `cdkd data prepare`",
        )
