"""The I-frame carried along by a decoder equals the chain of predictions made here, intra blocks included."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.videos import clip, moving_texture, packed_avi, sudden_square, write_stream

from cdkd.video.carried import CarriedDecoder
from cdkd.video.colour import Picture, new_rgb, picture_of
from cdkd.video.index import index_video
from cdkd.video.motion_blocks import INTRA, frame_blocks, num_blocks
from cdkd.video.opening import open_video
from cdkd.video.prediction import predict
from cdkd.video.reader import VideoReader

QUARTER_PIXEL = {"g": "12", "bf": "0", "qmin": "3", "qmax": "3", "flags": "+qpel+mv4+bitexact"}


def carried(path: Path) -> list[Picture]:
    """Copies of all pictures of the first GOP's I- and P-frames."""
    container, stream = open_video(path)
    decoder, pictures = CarriedDecoder(stream), []
    with container:
        for packet in [packet for packet in container.demux(stream) if packet.size][:12]:
            decoder.feed(packet)
            picture = decoder.next_picture()
            pictures.append(Picture(*(plane.copy() for plane in picture.planes)))
    return pictures


def decode(path: Path, **options: str) -> list[Any]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context: Any = av.CodecContext.create("mpeg4", "r")
        context.extradata, context.options = stream.codec_context.extradata, {"flags": "+bitexact", **options}
        return [frame for packet in container.demux(stream) for frame in context.decode(packet)]


@pytest.mark.parametrize("scene", ["texture", "square"])
def test_where_both_ways_exist_they_agree_to_the_bit(tmp_path: Path, scene: str) -> None:
    path = clip(tmp_path / "a.mp4", sudden_square() if scene == "square" else moving_texture(14, velocity=(7, -5)))
    roundings = index_video(path).roundings[0]
    pictures, frames = carried(path), decode(path, flags2="+export_mvs")
    predicted, has_intra_blocks = picture_of(frames[0]), False
    for position in range(1, 12):
        blocks = np.empty((8, 12), np.int32)
        frame_blocks(frames[position], blocks)
        has_intra_blocks |= bool((blocks == INTRA).any())
        predicted = predict(blocks, predicted, int(roundings[position]))
        for ours, theirs in zip(predicted.planes, pictures[position].planes, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert has_intra_blocks or scene != "square"


@pytest.mark.parametrize("kind", ["odd size", "quarter pixel"])
def test_intra_blocks_stand_still_in_other_streams(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.mp4"
    if kind == "odd size":
        clip(path, [frame[:62, :94] for frame in sudden_square()])
    else:
        write_stream(path, sudden_square(), "mpeg4", QUARTER_PIXEL)
    pictures = carried(path)
    frames, plain = decode(path, flags2="+export_mvs"), decode(path, skip_idct="nokey")
    num_intra_frames = 0
    for position in range(1, 12):
        size = num_blocks(frames[0].height), num_blocks(frames[0].width)
        blocks = np.empty(size, np.int32)
        frame_blocks(frames[position], blocks)
        intra = (blocks == INTRA).repeat(8, 0).repeat(8, 1)[: frames[0].height, : frames[0].width]
        before, now, decoder = pictures[position - 1].y, pictures[position].y, picture_of(plain[position]).y
        np.testing.assert_array_equal(now[intra], before[intra])
        if num_intra_frames == 0:
            np.testing.assert_array_equal(now[~intra], decoder[~intra])
        num_intra_frames += bool(intra.any())
    assert num_intra_frames > 0
    with VideoReader(path) as video:
        assert video.info.frame_residual_unsupported_reason
        read = video.read_gop(0, range(1, 12), range(12))
    # What appeared with frame 3 is there to the end of the GOP.
    for index in range(2, 11):
        assert np.abs(read.residual[index][20:44, 36:60]).mean() > 50


def test_gops_in_any_order_and_among_b_frames(tmp_path: Path) -> None:
    path = packed_avi(tmp_path / "a.avi", [frame[:62, :94] for frame in moving_texture(16)])
    with VideoReader(path) as video:
        assert video.info.has_b_frames and "94x62" in video.info.frame_residual_unsupported_reason
        asked = {gop: video.p_positions(gop) for gop in (0, 1)}
        first = {gop: video.read_gop(gop, asked[gop]) for gop in (1, 0)}
        for gop in (0, 1):
            np.testing.assert_array_equal(video.read_gop(gop, asked[gop]).residual, first[gop].residual)
    full, plain = decode(path), decode(path, skip_idct="nokey")
    for gop, positions in asked.items():
        for slot, position in enumerate(positions):
            at = 12 * gop + position
            # A texture that moves evenly has no intra blocks here: that decoder shows the same.
            assert not first[gop].intra[slot].any()
            decoded, predicted = (new_rgb(picture_of(frames[at])).astype(int) for frames in (full, plain))
            np.testing.assert_array_equal(first[gop].residual[slot], decoded - predicted)
