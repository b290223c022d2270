"""Cut-off files are told from whole ones without decoding."""

from pathlib import Path

import av
import numpy as np
import pytest
from support import faulty_videos
from support.official_trees import H264, VP9, XVID, write_video

from cdkd.video.integrity import TruncatedError, count_packets


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
