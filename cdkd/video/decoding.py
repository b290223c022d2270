"""Decodes one GOP, frame by frame: fully, or only as far as its vectors and I-frame need it."""

from collections.abc import Iterator
from typing import Any

from av.error import FFmpegError

from cdkd.video.carried import CarriedDecoder
from cdkd.video.colour import Picture, picture_of
from cdkd.video.frames import StreamInfo, VideoError
from cdkd.video.motion_blocks import MotionBlocks, frame_blocks
from cdkd.video.opening import REMEDY, new_decoder, picture_type_of
from cdkd.video.packets import complete_packed

# Explode: damage is an error, not a guess.
_FULL = {"err_detect": "explode", "flags2": "+export_mvs"}
# Of P-frames only the vectors are right then, which do not follow from pixels; I-frames are whole.
_VECTORS_ONLY = {**_FULL, "skip_idct": "nokey", "skip_loop_filter": "nointra"}


class DecodedFrame:
    """One frame; its pictures are views of the decoder's memory and hold it."""

    __slots__ = ("_frame", "carried", "picture_type")

    def __init__(self, frame: Any, carried: Picture | None, picture_type: str) -> None:
        self._frame = frame
        self.carried = carried
        """The GOP's I-frame carried to this I- or P-frame by vectors alone; None if not asked for."""
        self.picture_type = picture_type
        """I, P, B or S."""

    def picture(self) -> Picture:
        """The decoded planes."""
        return picture_of(self._frame)

    def read_blocks(self, out: MotionBlocks) -> None:
        """Writes the motions of the frame's blocks, (ceil(H / 8), ceil(W / 8)), all `INTRA` where it has no vectors."""
        frame_blocks(self._frame, out)


class GopDecoder:
    """Decodes GOPs of one open stream, in any order; its decoders, and the memory of their pictures, are made once."""

    def __init__(self, container: Any, stream: Any, info: StreamInfo) -> None:
        self._container = container
        self._stream = stream
        self._info = info
        self._decoders: dict[str, Any] = {}
        self._carrying: CarriedDecoder | None = None
        self._packets: Iterator[Any] = iter(())
        self._next: tuple[int, bool, bool] | None = None
        """The GOP, and how it has to be decoded, that can be read on from where the last one ended."""

    def decode(
        self, gop: int, key_time: int, num_frames: int, with_pixels: bool = True, with_carried: bool = False
    ) -> Iterator[DecodedFrame]:
        """The first `num_frames` of a GOP in display order; no packet is decoded after the last of them is out.

        Args:
            gop: 0 is the file's first.
            key_time: its key packet's time of decoding.
            num_frames: at most the GOP's own number.
            with_pixels: False saves work; pictures other than the I-frame's are wrong then.
            with_carried: `carried` is wanted of I- and P-frames; MPEG-4 only.

        Raises:
            VideoError: the GOP is damaged, ends early, or its picture size changes.
        """
        # 1. Where the last GOP was read to its end, and in the same way, its decoder goes on without seeking.
        info, goes_on = self._info, self._next == (gop, with_pixels, with_carried)
        decoder = self._prepared_decoder(with_pixels, goes_on)
        carrying = self._prepared_carrying(goes_on) if with_carried else None
        if not goes_on:
            self._packets = _packets_from(self._container, self._stream, info, key_time)
        # Unknown until this GOP has ended well: a caller may stop in between, or the decoder raise.
        self._next = None
        # 2. Packets in, frames out; `num_held` is how many went in that have not come out.
        done = num_held = 0
        types = info.frame_types[gop] if info.frame_types else None
        try:
            for packet in self._packets:
                frames = decoder.decode(packet)
                if carrying:
                    carrying.feed(packet)
                num_held += 1 - len(frames)
                for frame in frames:
                    picture_type = picture_type_of(frame)
                    # Arrays are of the size that the headers gave; a frame of another must not be written into them.
                    is_size_kept = frame.width == info.width and frame.height == info.height
                    if not is_size_kept or frame.is_corrupt or (types is not None and picture_type != types[done]):
                        raise _refusal(info, gop, done, frame)
                    done += 1
                    # A frame that is still held would be of the next GOP, whose first packet has then gone in already.
                    if done == info.gop_lengths[gop] and num_held == 0:
                        self._next = (gop + 1, with_pixels, with_carried)
                    carried = carrying.next_picture() if carrying and picture_type in "IP" else None
                    yield DecodedFrame(frame, carried, picture_type)
                    if done == num_frames:
                        return
        except FFmpegError as error:
            # What a decoder makes of the next GOP must not depend on damage in this one.
            self._decoders.clear()
            self._carrying = None
            raise VideoError(info.path, f"frame {done} of GOP {gop} is damaged: {error.strerror}") from error
        raise VideoError(info.path, f"GOP {gop} is cut short: it gives {done} frames where {num_frames} are needed")

    def _prepared_decoder(self, with_pixels: bool, goes_on: bool) -> Any:
        """A decoder that remembers no frame, or only those right before the GOP's key frame."""
        name = "full" if with_pixels else "vectors"
        if name not in self._decoders:
            options = _FULL if with_pixels else _VECTORS_ONLY
            # Without B-frames no frame has to wait for the next one.
            flags = {} if self._info.has_b_frames else {"flags": "+low_delay"}
            self._decoders[name] = new_decoder(self._stream, {**options, **flags})
        elif not goes_on:
            self._decoders[name].flush_buffers()
        return self._decoders[name]

    def _prepared_carrying(self, goes_on: bool) -> CarriedDecoder:
        if self._carrying is None:
            self._carrying = CarriedDecoder(self._stream)
        elif not goes_on:
            self._carrying.flush()
        return self._carrying


def _packets_from(container: Any, stream: Any, info: StreamInfo, key_time: int) -> Iterator[Any]:
    """Packets that make a decoder give out all frames from the key frame on.

    A function, because a generator that its own object holds would hold that in turn, and files stayed open.
    """
    packets = _demuxed_from(container, stream, info, key_time)
    if info.codec == "mpeg4" and info.has_b_frames:
        return complete_packed(packets, stream.codec_context.extradata)
    return packets


def _demuxed_from(container: Any, stream: Any, info: StreamInfo, key_time: int) -> Iterator[Any]:
    """Packets from the key frame on, then what makes a decoder give up the frame that it holds back."""
    key = None
    # A container may only find a key frame before the one wanted; what lies between is passed over below.
    container.seek(key_time, stream=stream, backward=True)
    for packet in container.demux(stream):
        # The empty packet at the end of the file, which makes a decoder give out what it holds.
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
        expected = info.frame_types[gop][position]
        reason = f"{place} decodes as {picture_type_of(frame)} where its headers promise {expected}"
    return VideoError(info.path, f"{reason}; {REMEDY}")
