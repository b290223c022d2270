"""Decodes one GOP, frame by frame: fully, or only as far as vectors and I-frames need it, or both in step."""

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.sidedata.motionvectors import MotionVectors
from av.sidedata.sidedata import SideDataContainer

from cdkd.video.colour import Picture, picture_of
from cdkd.video.frames import StreamInfo, VideoError
from cdkd.video.motion_blocks import VECTOR_TYPE, Cells, list_cells

_LETTERS = "?IPBS"
_NO_VECTORS = np.frombuffer(b"", VECTOR_TYPE)

# One thread: a data loader has a process for each core, and frame threads would decode ahead of the last wanted frame.
# Bit-exact: the same pixels on every processor. Explode: damage is an error, not a guess.
_COMMON = {"threads": "1", "flags": "+bitexact", "err_detect": "explode"}
_FULL = {**_COMMON, "flags2": "+export_mvs"}
# Of P-frames only the vectors are right then, which do not follow from pixels; I-frames are whole.
_VECTORS_ONLY = {**_FULL, "skip_idct": "nokey", "skip_loop_filter": "nointra"}
_PREDICTION_ONLY = {**_COMMON, "skip_idct": "nokey"}


class DecodedFrame:
    """One frame; its pictures are views of the decoder's memory and hold it."""

    __slots__ = ("_chain", "_frame", "letter")

    def __init__(self, frame: Any, chain: Any, letter: str) -> None:
        self._frame = frame
        self._chain = chain
        self.letter = letter
        """I, P, B or S."""

    def picture(self) -> Picture:
        """The decoded planes."""
        return picture_of(self._frame)

    def chain(self) -> Picture | None:
        """The same frame as predicted from the GOP's I-frame by vectors alone; None if not asked for."""
        return picture_of(self._chain) if self._chain else None

    def list_cells(self, out: Cells) -> None:
        """Writes the motions of the frame's cells, (ceil(H / 8), ceil(W / 8)), all `BARE` where it has no vectors."""
        # `frame.side_data` would tie both into a cycle that keeps the picture until a garbage collection.
        vectors = _NO_VECTORS
        for data in SideDataContainer(self._frame):  # type: ignore[call-arg]
            if type(data) is MotionVectors:
                vectors = np.frombuffer(data, VECTOR_TYPE)  # type: ignore[call-overload]
        list_cells(vectors, out)


class GopDecoder:
    """Decodes GOPs of one open stream, in any order; its decoders, and the memory of their pictures, are made once."""

    def __init__(self, container: Any, stream: Any, info: StreamInfo) -> None:
        self._container = container
        self._stream = stream
        self._info = info
        self._decoders: dict[str, Any] = {}
        self._packets: Iterator[Any] = iter(())
        self._next: tuple[int, bool, bool] | None = None
        """The GOP, and how it has to be decoded, that can be read on from where the last one ended."""

    def decode(
        self, gop: int, key_time: int, num_frames: int, with_pixels: bool = True, with_chain: bool = False
    ) -> Iterator[DecodedFrame]:
        """The first `num_frames` of a GOP in display order; no packet is decoded after the last of them is out.

        Args:
            gop: 0 is the file's first.
            key_time: its key packet's time of decoding.
            num_frames: at most the GOP's own number.
            with_pixels: False saves work; pictures other than the I-frame's are wrong then.
            with_chain: each frame's `chain` is wanted too.

        Raises:
            VideoError: the GOP is damaged, ends early, or its picture size changes.
        """
        info, goes_on = self._info, self._next == (gop, with_pixels, with_chain)
        full = (
            self._prepared("full", _FULL, goes_on) if with_pixels else self._prepared("vectors", _VECTORS_ONLY, goes_on)
        )
        skipping = self._prepared("chain", _PREDICTION_ONLY, goes_on) if with_chain else None
        if not goes_on:
            self._packets = _packets_from(self._container, self._stream, info, key_time)
        self._next = None
        done = num_held = 0
        letters = info.frame_types[gop] if info.frame_types else None
        try:
            for packet in self._packets:
                frames = full.decode(packet)
                chains = skipping.decode(packet) if skipping else None
                num_held += 1 - len(frames)
                for index, frame in enumerate(frames):
                    letter = _LETTERS[min(frame.pict_type, 4)]
                    is_size_kept = frame.width == info.width and frame.height == info.height
                    if not is_size_kept or frame.is_corrupt or (letters is not None and letter != letters[done]):
                        raise _refusal(info, gop, done, frame)
                    done += 1
                    if done == info.gop_lengths[gop] and num_held == 0:
                        self._next = (gop + 1, with_pixels, with_chain)
                    yield DecodedFrame(frame, chains[index] if chains else None, letter)
                    if done == num_frames:
                        return
        except FFmpegError as error:
            # What a decoder makes of the next GOP must not depend on damage in this one.
            self._decoders.clear()
            raise VideoError(info.path, f"frame {done} of GOP {gop} is damaged: {error.strerror}") from error
        raise VideoError(info.path, f"GOP {gop} is cut short: it gives {done} frames where {num_frames} are needed")

    def _prepared(self, name: str, options: dict[str, str], goes_on: bool) -> Any:
        """A decoder that remembers no frame, or only those right before the GOP's key frame."""
        if name not in self._decoders:
            self._decoders[name] = _decoder(self._stream, self._info, options)
        elif not goes_on:
            self._decoders[name].flush_buffers()
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


def _refusal(info: StreamInfo, gop: int, position: int, frame: Any) -> VideoError:
    """What is wrong with a frame that is not what the file's headers promise."""
    place = f"frame {position} of GOP {gop}"
    if frame.width != info.width or frame.height != info.height:
        reason = f"changes size from {info.width}x{info.height} to {frame.width}x{frame.height} in GOP {gop}"
    elif frame.is_corrupt:
        return VideoError(info.path, f"{place} is damaged")
    else:
        letter, expected = _LETTERS[min(frame.pict_type, 4)], info.frame_types[gop][position]
        reason = f"{place} decodes as {letter} where its headers promise {expected}"
    return VideoError(info.path, f"{reason}; re-encode it with `cdkd data prepare`")
