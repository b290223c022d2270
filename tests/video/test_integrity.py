"""Cut-off files are told from whole ones without decoding."""

from pathlib import Path

import av
import numpy as np
import pytest
from support import faulty_videos
from support.official_trees import H264, VP9, XVID, write_video
from support.videos import clip, encode_packets, moving_texture, write_packets

from cdkd.video.frames import VideoError
from cdkd.video.integrity import TruncatedError, count_packets
from cdkd.video.reader import describe


@pytest.mark.parametrize(("name", "codec"), [("a.avi", XVID), ("a.mp4", H264), ("a.mkv", H264), ("a.webm", VP9)])
@pytest.mark.parametrize("num_frames", [1, 2, 13, 60])
def test_whole_files(tmp_path: Path, name: str, codec: tuple[str, dict[str, str]], num_frames: int) -> None:
    assert count_packets(write_video(tmp_path / name, codec, num_frames=num_frames)) == num_frames


def test_audio_that_outlasts_the_picture_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=16000, layout="mono")
        for _ in range(5):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        for start in range(0, 48000, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, start
            container.mux(audio.encode(frame))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    with av.open(str(path)) as container:
        assert container.duration > 2_900_000
        assert container.streams.video[0].frames == 0
    assert count_packets(path) == 5


@pytest.mark.parametrize("make", [faulty_videos.cut_avi, faulty_videos.cut_webm])
def test_cut_files(tmp_path: Path, make: object) -> None:
    assert callable(make)
    suffix = {faulty_videos.cut_avi: "avi", faulty_videos.cut_webm: "webm"}[make]
    with pytest.raises(TruncatedError, match="cut off: "):
        count_packets(make(tmp_path / f"a.{suffix}"))


def test_what_is_no_video_is_left_to_the_transcoder(tmp_path: Path) -> None:
    assert count_packets(faulty_videos.text(tmp_path / "a.mp4")) == 0
    assert count_packets(faulty_videos.audio_only(tmp_path / "b.mp4")) == 0


@pytest.mark.parametrize("suffix", ["mkv", "avi"])
@pytest.mark.parametrize("num_left", [1, 5, 50, 70])
def test_the_reader_refuses_a_part_however_large(tmp_path: Path, suffix: str, num_left: int) -> None:
    path = clip(tmp_path / f"a.{suffix}", moving_texture(71))
    assert describe(path).num_frames == 71
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    # From the next frame's first byte on all is gone; its container's few bytes of header stay, as cuts fall.
    end = packets[num_left].pos
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(VideoError, match="cut short") as caught:
        describe(path)
    assert caught.value.path == path
    if suffix == "avi":
        assert caught.value.reason == f"is cut short: holds {num_left} of 71 frames"
    else:
        assert caught.value.reason.startswith(f"is cut short: ends after {num_left / 24:.2f} of 2.96 seconds")


def test_pictures_that_an_avi_repeats_are_not_missing(tmp_path: Path) -> None:
    context, packets = encode_packets(moving_texture(60), "mpeg4", {"g": "60", "bf": "0"})
    data = [bytes(packet) for packet in packets]
    for index in range(20, 40):
        data[index] = b""
    # A P-frame refers to the one before, so the last frames belong to a second GOP.
    path = write_packets(tmp_path / "a.avi", context, data[:40] + data[:20], [index in (0, 40) for index in range(60)])
    assert describe(path).gop_lengths == (20, 20)
    assert count_packets(path) == 40


def test_a_live_stream_says_no_length(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", moving_texture(30))
    data = bytearray(path.read_bytes())
    size = data.index(b"\x18\x53\x80\x67") + 4
    data[size : size + 8] = b"\x01" + b"\xff" * 7
    duration = data.index(b"\x44\x89\x88")
    data[duration : duration + 2] = b"\xec\x81"  # an element to skip, of one byte
    data[duration : duration + 11] = b"\xec\x89" + bytes(9)
    path.write_bytes(data)
    assert describe(path).num_frames == 30
