"""Packed B-frames all come out, whatever place holders an encoder left out."""

from pathlib import Path

import av
import numpy as np
import pytest
from support.videos import clip, moving_texture, packed_avi

from cdkd.video.inspect import inspect_video
from cdkd.video.mpeg4_headers import FrameHeader, Layer, not_coded_frame, parse_frames
from cdkd.video.packets import complete_packed
from cdkd.video.reader import VideoReader, describe
from cdkd.video.transcode import transcode


def test_a_place_holder_bit_by_bit() -> None:
    layer = Layer(96, 64, 5, is_interlaced=False, has_sprites=False, is_quarter_pixel=False)
    data = not_coded_frame(layer)
    # P, no whole second, marker, five bits of time, marker, not coded, stuffing
    assert data == b"\x00\x00\x01\xb6" + bytes([0b01_0_1_0000, 0b0_1_0_0_1111])
    assert list(parse_frames(data, layer)) == [FrameHeader("P", False, 0)]
    for time_bits in range(1, 17):
        wide = Layer(96, 64, time_bits, is_interlaced=False, has_sprites=False, is_quarter_pixel=False)
        assert list(parse_frames(not_coded_frame(wide), wide)) == [FrameHeader("P", False, 0)]


def test_what_is_fed_into_a_stream(tmp_path: Path) -> None:
    def sizes(path: Path) -> list[int]:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            packets = complete_packed(container.demux(stream), stream.codec_context.extradata)
            return [packet.size for packet in packets]

    frames = moving_texture(15)
    whole, short = packed_avi(tmp_path / "a.avi", frames), packed_avi(tmp_path / "b.avi", frames, False)
    assert sizes(short) == sizes(whole)
    plain = clip(tmp_path / "c.mp4", frames)
    with av.open(str(plain)) as container:
        assert sizes(plain) == [packet.size for packet in container.demux(video=0)]


@pytest.mark.parametrize("size", [(64, 96), (62, 94)])
def test_no_frame_is_lost_where_a_chunk_packs_the_last_two(tmp_path: Path, size: tuple[int, int]) -> None:
    frames = [frame[: size[0], : size[1]] for frame in moving_texture(15)]
    whole, short = packed_avi(tmp_path / "a.avi", frames), packed_avi(tmp_path / "b.avi", frames, False)
    assert describe(short).frame_types == ("IBPBPBPBPBPB", "IBP")
    assert inspect_video(short).num_decoded == 15
    assert transcode(short, tmp_path / "c.mp4", width=96, height=64) == 15
    with VideoReader(whole) as expected, VideoReader(short) as video:
        for gop in (1, 0):
            positions, every = video.p_positions(gop), range(video.info.gop_lengths[gop])
            ours, theirs = video.read_gop(gop, positions, every), expected.read_gop(gop, positions, every)
            for name in ("iframe", "motion", "residual", "intra", "frames"):
                np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
            # The texture goes on by two pixels a frame to the very last one.
            shown = ours.frames.astype(int)
            assert np.abs(shown[-1, :, :-2] - shown[-2, :, 2:]).mean() < np.abs(shown[-1] - shown[-2]).mean() / 2
