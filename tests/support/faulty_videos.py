"""Files that are no good videos, each in its own way."""

from pathlib import Path

import av
import numpy as np
from support.official_trees import H264, VP9, XVID, write_video


def zero_bytes(path: Path) -> Path:
    """An empty file."""
    path.touch()
    return path


def text(path: Path) -> Path:
    """A text under a video's name."""
    path.write_text("<html>This video is not available in your country.</html>\n" * 20)
    return path


def audio_only(path: Path) -> Path:
    """A tone without picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        wave = np.sin(np.arange(16000, dtype=np.float32) / 20)[None]
        for start in range(0, 16000 - 1024, 1024):
            frame = av.AudioFrame.from_ndarray(wave[:, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def one_frame(path: Path) -> Path:
    """A picture rather than a video."""
    return write_video(path, H264, num_frames=1)


def _cut(path: Path, fraction: float) -> Path:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * fraction)])
    return path


def cut_avi(path: Path) -> Path:
    """The second half of 60 frames is gone, in the middle of a GOP; FFmpeg opens it all the same."""
    return _cut(write_video(path, XVID, num_frames=60), 0.55)


def cut_webm(path: Path) -> Path:
    """The same; this container tells seconds, not frames."""
    return _cut(write_video(path, VP9, num_frames=60), 0.55)


def cut_mp4(path: Path) -> Path:
    """Without its end such a file has no index."""
    return _cut(write_video(path, H264, num_frames=60), 0.55)


def size_change(path: Path) -> Path:
    """20 frames of one size, then 20 of another: odd, but every frame is there."""
    mpeg2 = ("mpeg2video", {"g": "10"})
    first = write_video(path.with_suffix(".1.ts"), mpeg2, num_frames=20)
    second = write_video(path.with_suffix(".2.ts"), mpeg2, num_frames=20, width=96, height=64)
    path.write_bytes(first.read_bytes() + second.read_bytes())
    first.unlink()
    second.unlink()
    return path
