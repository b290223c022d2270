"""Tiny videos with known motion, in many codecs and conditions."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from cdkd.video.transcode import encode_frames

Frames = list[NDArray[np.uint8]]

MPEG4_B_FRAMES = {"g": "12", "bf": "2", "qmin": "3", "qmax": "3", "sc_threshold": "1000000000", "flags": "+bitexact"}
H264_ONE_REFERENCE = {"preset": "medium", "g": "8", "keyint_min": "8", "bf": "0", "refs": "1", "sc_threshold": "0"}


def moving_texture(
    num_frames: int = 30, height: int = 64, width: int = 96, velocity: tuple[int, int] = (2, 1), seed: int = 0
) -> Frames:
    """A smooth random texture under a window that moves by `velocity` (x, y) pixels per frame.

    So what stands at p in frame t stood at p + velocity in frame t-1: motion is -velocity per frame.
    """
    size = (height + abs(velocity[1]) * num_frames, width + abs(velocity[0]) * num_frames)
    grid = np.random.default_rng(seed).integers(20, 236, (size[0] // 6 + 2, size[1] // 6 + 2, 3))
    rows, columns = np.arange(size[0]) / 6, np.arange(size[1]) / 6
    top, left = rows.astype(int), columns.astype(int)
    part_y, part_x = (rows - top)[:, None, None], (columns - left)[None, :, None]
    upper = grid[top][:, left] * (1 - part_x) + grid[top][:, left + 1] * part_x
    lower = grid[top + 1][:, left] * (1 - part_x) + grid[top + 1][:, left + 1] * part_x
    texture = (upper * (1 - part_y) + lower * part_y).astype(np.uint8)
    first_x, first_y = (max(0, -v) * (num_frames - 1) for v in velocity)
    starts = [(first_y + t * velocity[1], first_x + t * velocity[0]) for t in range(num_frames)]
    return [np.ascontiguousarray(texture[y : y + height, x : x + width]) for y, x in starts]


def sudden_square(num_frames: int = 14, height: int = 64, width: int = 96) -> Frames:
    """A moving texture on which a flat square appears at frame 3: nothing to predict it from."""
    frames = moving_texture(num_frames, height, width, seed=1)
    for frame in frames[3:]:
        frame[16:48, 32:64] = (250, 10, 240)
    return frames


def clip(path: Path, frames: Frames | None = None, **settings: Any) -> Path:
    """MPEG-4 Part 2 as cdkd writes it, at 24 frames per second."""
    encode_frames(path, moving_texture() if frames is None else frames, frames_per_second=24, **settings)
    return path


def encode_packets(frames: Sequence[NDArray[np.uint8]], codec: str, options: dict[str, str]) -> tuple[Any, list[Any]]:
    """The encoder's context and its packets in decoding order."""
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
    context.time_base, context.framerate = Fraction(1, 24), Fraction(24)
    context.thread_count, context.options = 1, options
    packets = []
    for index, frame in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")
        picture.pts, picture.time_base = index, Fraction(1, 24)
        packets += context.encode(picture)
    return context, packets + context.encode(None)


def write_stream(path: Path, frames: Sequence[NDArray[np.uint8]], codec: str, options: dict[str, str]) -> Path:
    """Any codec and options, through PyAV's muxer."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        stream.codec_context.thread_count, stream.codec_context.options = 1, options
        for index, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")
            picture.pts, picture.time_base = index, Fraction(1, 24)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def write_packets(path: Path, template: Any, packets: Sequence[bytes], keys: Sequence[bool]) -> Path:
    """Ready packets in an AVI file, one per tick, as old encoders left them."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=24)
        stream.width, stream.height, stream.pix_fmt = template.width, template.height, "yuv420p"
        stream.codec_context.options = {"flags": "-global_header"}
        for index, (data, is_key) in enumerate(zip(packets, keys, strict=True)):
            packet = av.Packet(data)
            packet.stream, packet.pts, packet.dts = stream, index, index
            packet.time_base, packet.is_keyframe = Fraction(1, 24), is_key
            container.mux(packet)
    return path


def packed_avi(path: Path, frames: Frames, every_place_holder: bool = True, flags: str = "") -> Path:
    """P- and B-frame in one packet, then a place holder, as DivX and XviD wrote them into AVI.

    Args:
        every_place_holder: False leaves out the file's last one, and those before a key packet.
        flags: of the encoder.
    """
    options = {**MPEG4_B_FRAMES, "bf": "1", "b_strategy": "0", "flags": "+bitexact" + flags}
    context, packets = encode_packets(frames, "mpeg4", options)
    coded = [bytes(packet) for packet in packets]
    is_b = [data[data.find(b"\x00\x00\x01\xb6") + 4] >> 6 == 2 for data in coded]
    chunks: list[bytes] = []
    keys: list[bool] = []
    for data, packet, b_frame in zip(coded, packets, is_b, strict=True):
        if b_frame:
            chunks[-1] += data
            chunks.append(_PLACE_HOLDER)
            keys.append(False)
        else:
            chunks.append(data)
            keys.append(packet.is_keyframe)
    if not every_place_holder:
        ends = [index for index in range(len(keys)) if index + 1 == len(keys) or keys[index + 1]]
        kept = [index for index in range(len(keys)) if index not in ends or chunks[index] != _PLACE_HOLDER]
        chunks, keys = [chunks[index] for index in kept], [keys[index] for index in kept]
    for index, is_key in enumerate(keys):
        if is_key:
            start = chunks[index].find(b"\x00\x00\x01\xb6")
            chunks[index] = chunks[index][:start] + b"\x00\x00\x01\xb2DivX503b1393p" + chunks[index][start:]
    return write_packets(path, context, chunks, keys)


# A P-frame header with vop_coded = 0, for a clock of 24 ticks per second (5 bits):
# 01 P | 0 no whole second | 1 marker | 00000 time | 1 marker | 0 not coded | 01111 stuffing
_PLACE_HOLDER = b"\x00\x00\x01\xb6" + 0b0101000001001111.to_bytes(2, "big")
