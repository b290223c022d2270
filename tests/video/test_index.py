"""The structure of a file from its packets and headers."""

from pathlib import Path

import av
import pytest
from support.videos import H264_ONE_REFERENCE, MPEG4_B_FRAMES, clip, moving_texture, packed_avi, write_stream

from cdkd.video.bitstream import BitReader
from cdkd.video.h264_headers import Sequence, parse_sequence
from cdkd.video.index import display_order, index_video
from cdkd.video.mpeg4_headers import FrameHeader, Layer, parse_layer
from cdkd.video.reader import describe


def order(decoded: str, num_gops: int = 1) -> list[str]:
    """`decoded` in decoding order; a bar starts the next GOP."""
    gop, frames = 0, []
    for letter in decoded:
        if letter == "|":
            gop += 1
        else:
            frames.append((gop, FrameHeader(letter, True, 0)))
    return ["".join(header.picture_type for header in headers) for headers in display_order(frames, num_gops)]


@pytest.mark.parametrize(
    ("decoded", "shown"),
    [
        ("IPPP|IP", ["IPPP", "IP"]),
        ("IPBBPBB|IBBP", ["IBBPBBPBB", "IP"]),
        ("IPB|IBPB|I", ["IBPB", "IBP", "I"]),
        ("IBPB", ["IBP"]),
    ],
)
def test_display_order(decoded: str, shown: list[str]) -> None:
    assert order(decoded, len(shown)) == shown


def test_a_plain_file(tmp_path: Path) -> None:
    info = describe(clip(tmp_path / "a.mp4"))
    assert (info.codec, info.width, info.height, info.frames_per_second) == ("mpeg4", 96, 64, 24.0)
    assert info.gop_lengths == (12, 12, 6)
    assert info.frame_types == ("I" + "P" * 11, "I" + "P" * 11, "I" + "P" * 5)
    assert (info.num_frames, info.num_gops, info.has_b_frames) == (30, 3, False)
    assert (info.unsupported_reason, info.frame_residual_unsupported_reason) == ("", "")


def test_gops_start_at_the_packets_key_frames(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(23), gop_length=7)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    keys = [index for index, packet in enumerate(packets) if packet.is_keyframe]
    assert keys == [0, 7, 14, 21]
    index = index_video(path)
    assert index.info.gop_lengths == (7, 7, 7, 2)
    assert index.key_times == tuple(packets[key].dts for key in keys)


@pytest.mark.parametrize("suffix", ["mp4", "avi", "mkv"])
def test_b_frames_are_found_and_ordered(tmp_path: Path, suffix: str) -> None:
    info = describe(write_stream(tmp_path / f"b.{suffix}", moving_texture(16), "mpeg4", MPEG4_B_FRAMES))
    assert info.frame_types == ("IBBPBBPBBPBB", "IBBP")
    assert (info.has_b_frames, info.unsupported_reason) == (True, "")


def test_packed_b_frames_and_place_holders(tmp_path: Path) -> None:
    info = describe(packed_avi(tmp_path / "p.avi", moving_texture(16)))
    assert info.frame_types == ("IBPBPBPBPBPB", "IBPP")


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(13))
    assert describe(path).gop_lengths == (12, 1)
    assert describe(clip(path, moving_texture(15), gop_length=5)).gop_lengths == (5, 5, 5)


def test_sizes_and_vectors_that_rule_out_an_exact_residual_per_frame(tmp_path: Path) -> None:
    odd = describe(clip(tmp_path / "odd.mp4", moving_texture(3, 48, 52)))
    assert odd.unsupported_reason == ""
    assert "52x48" in odd.frame_residual_unsupported_reason
    quarter = write_stream(tmp_path / "q.mp4", moving_texture(3), "mpeg4", {"flags": "+qpel", "bf": "0"})
    assert describe(quarter).unsupported_reason == ""
    assert "quarter-pixel" in describe(quarter).frame_residual_unsupported_reason


@pytest.mark.parametrize(
    ("codec", "options", "reason"),
    [
        ("libx264", {"bf": "2", "refs": "1"}, "B-frames"),
        ("libx264", {"bf": "0", "refs": "4", "preset": "slow"}, "any of 4 frames"),
        ("libvpx-vp9", {"deadline": "realtime"}, "is vp9"),
        ("libx265", {"x265-params": "log-level=none"}, "is hevc"),
        ("mpeg4", {"flags": "+ildct+ilme", "bf": "0"}, "interlaced"),
    ],
)
def test_what_cannot_be_read_says_why_and_the_remedy(
    tmp_path: Path, codec: str, options: dict[str, str], reason: str
) -> None:
    info = describe(write_stream(tmp_path / "a.mp4", moving_texture(12, 128, 160), codec, options))
    assert reason in info.unsupported_reason
    assert "cdkd data transcode" in info.unsupported_reason
    assert info.num_frames == 12


def test_other_pixels_than_420_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "444.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={**H264_ONE_REFERENCE})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv444p"
        for picture in moving_texture(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    assert "yuv444p" in describe(path).unsupported_reason


def test_layer_header_of_a_real_stream(tmp_path: Path) -> None:
    with av.open(str(clip(tmp_path / "a.mp4", moving_texture(2, 80, 112)))) as container:
        layer = parse_layer(container.streams.video[0].codec_context.extradata or b"")
    # 24 ticks per second need 5 bits.
    assert layer == Layer(112, 80, 5, is_interlaced=False, has_sprites=False, is_quarter_pixel=False)
    assert parse_layer(b"\x00\x00\x01\xb0\x01") is None


@pytest.mark.parametrize("refs", [1, 3])
@pytest.mark.parametrize("profile", ["baseline", "high"])
def test_h264_parameters_of_a_real_stream(tmp_path: Path, refs: int, profile: str) -> None:
    options = {"bf": "0", "refs": str(refs), "profile": profile, "preset": "slow"}
    for suffix in ("mp4", "ts"):
        path = write_stream(tmp_path / f"a.{suffix}", moving_texture(12), "libx264", options)
        with av.open(str(path)) as container:
            extradata = container.streams.video[0].codec_context.extradata or b""
        assert parse_sequence(extradata) == Sequence(refs, is_interlaced=False)
    assert parse_sequence(b"") is None


def test_bits_by_hand() -> None:
    # 1 | 010 | 011 | 00100 | 00101 then 1111
    bits = BitReader(0b1_010_011_00100_00101_1111000.to_bytes(3, "big"))
    assert [bits.read_exp_golomb() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert bits.read(4) == 15
    signed = BitReader(0b1_010_011_00100_00101_0000000.to_bytes(3, "big"))
    assert [signed.read_signed_exp_golomb() for _ in range(5)] == [0, 1, -1, 2, -2]
    with pytest.raises(EOFError):
        BitReader(b"\x00").read(9)
