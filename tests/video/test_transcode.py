"""Encoding: the same bytes each time, the GOP and quantiser asked for, whole files or none."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from support.videos import H264_ONE_REFERENCE, clip, moving_texture, write_stream

from cdkd.video.frames import VideoError
from cdkd.video.reader import describe, read_gop
from cdkd.video.transcode import encode_frames, transcode


def quantisers(path: Path) -> Counter[tuple[int, int]]:
    """(coding type, vop_quant) of every frame, for a clock of 24 ticks per second."""
    found: Counter[tuple[int, int]] = Counter()
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                data = bytes(packet)
                start = data.index(b"\x00\x00\x01\xb6") + 4
                bits = "".join(f"{byte:08b}" for byte in data[start : start + 12])
                kind, rest = int(bits[:2], 2), bits[2:].lstrip("1")[1:]  # whole seconds, each a 1, then a 0
                # marker, 5 bits of time, marker, coded, rounding type of a P-frame, 3 bits of DC threshold
                assert (rest[0], rest[6], rest[7]) == ("1", "1", "1")
                rest = rest[8 + (kind == 1) + 3 :]
                found[kind, int(rest[:5], 2)] += 1
    return found


def test_equal_frames_give_equal_bytes(tmp_path: Path) -> None:
    digests = {hashlib.sha256(clip(tmp_path / f"{index}.mp4").read_bytes()).hexdigest() for index in range(2)}
    code = "import sys; sys.path.insert(0, sys.argv[2]); from support.videos import clip; clip(sys.argv[1])"
    other = tmp_path / "other.mp4"
    tests = Path(__file__).parent.parent
    subprocess.run([sys.executable, "-c", code, str(other), str(tests)], check=True, cwd=tests.parent)
    digests.add(hashlib.sha256(other.read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize(("quantiser", "gop_length"), [(1, 12), (5, 7), (31, 1)])
def test_quantiser_and_gop_are_those_asked_for(tmp_path: Path, quantiser: int, gop_length: int) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(25), quantiser=quantiser, gop_length=gop_length)
    lengths = {12: (12, 12, 1), 7: (7, 7, 7, 4), 1: (1,) * 25}[gop_length]
    assert describe(path).gop_lengths == lengths
    expected = {(0, quantiser): len(lengths), (1, quantiser): 25 - len(lengths)}
    assert quantisers(path) == Counter({key: count for key, count in expected.items() if count})


def test_a_scene_cut_starts_no_gop(tmp_path: Path) -> None:
    # From noise to a slope: macroblocks without prediction cost least.
    noise = np.random.default_rng(0).integers(0, 256, (7, 64, 96, 3), dtype=np.uint8)
    slope = np.repeat(np.arange(96, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    frames = [*noise, *[slope] * 7]
    assert describe(clip(tmp_path / "a.mp4", frames)).gop_lengths == (12, 2)


def test_pixels_survive(tmp_path: Path) -> None:
    # Chroma has half the resolution, so grey shows what the codec itself loses.
    frames = [np.repeat(frame[..., :1], 3, axis=2) for frame in moving_texture(5)]
    read = read_gop(clip(tmp_path / "a.mp4", frames, quantiser=1), 0, (), range(5))
    errors = np.abs(read.frames.astype(int) - np.stack(frames))
    assert errors.mean() < 1.0
    assert errors.max() <= 8


def test_few_blocks_are_intra(tmp_path: Path) -> None:
    assert read_gop(clip(tmp_path / "a.mp4"), 0, range(1, 12)).intra.mean() < 0.02


def test_four_vectors_is_a_choice(tmp_path: Path) -> None:
    frames = moving_texture(3)
    for frame in frames:
        frame[::3, ::5] //= 2
    with_four, without = (clip(tmp_path / f"{on}.mp4", frames, four_vectors=on) for on in (True, False))
    assert with_four.read_bytes() != without.read_bytes()


@pytest.mark.parametrize("rate", [24, 25, 29.97, 30000 / 1001, 15.0123, 120, 999.5])
def test_frame_rates(tmp_path: Path, rate: float) -> None:
    encode_frames(tmp_path / "a.mp4", moving_texture(3), frames_per_second=rate)
    assert describe(tmp_path / "a.mp4").frames_per_second == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"quantiser": 0}, "quantiser 0 must lie in 1..31"),
        ({"quantiser": 32}, "quantiser 32"),
        ({"gop_length": 0}, "gop_length 0 must lie in 1..600"),
        ({"frames_per_second": 0.0}, "0.0 frames per second"),
    ],
)
def test_wrong_settings(tmp_path: Path, settings: dict[str, float], text: str) -> None:
    values = {"frames_per_second": 24.0, **settings}
    with pytest.raises(VideoError, match=text):
        encode_frames(tmp_path / "a.mp4", moving_texture(3), **values)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def failing(frames: list[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    yield from frames
    raise RuntimeError("the source failed")


def test_a_failure_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(2))
    before = path.read_bytes()
    wrong = {
        "no frames": [],
        r"frame 1 is \(64, 64, 3\)": [np.zeros((64, 96, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)],
        "even sides": [np.zeros((64, 97, 3), np.uint8)],
        "float32": [np.zeros((64, 96, 3), np.float32)],
    }
    for text, frames in wrong.items():
        with pytest.raises(VideoError, match=text):
            encode_frames(path, frames, frames_per_second=24)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="the source failed"):
        encode_frames(path, failing(moving_texture(3)), frames_per_second=24)
    with pytest.raises(VideoError, match=r"a\.mp4/b\.mp4: cannot be written: (File exists|Not a directory)"):
        clip(path / "b.mp4")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]
    assert path.read_bytes() == before


def test_a_full_disk_is_an_error_with_the_path(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from support.videos import clip, moving_texture\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "frames = moving_texture(40)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "from cdkd.video.frames import VideoError\n"
        "try:\n    clip(sys.argv[1], frames, quantiser=1)\n"
        "except VideoError as error:\n    print(error)\n"
    )
    tests = Path(__file__).parent.parent
    command = [sys.executable, "-c", code, str(tmp_path / "a.mp4"), str(tests)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tests.parent)
    assert run.stdout.startswith(f"{tmp_path / 'a.mp4'}: cannot be written: ")
    assert list(tmp_path.iterdir()) == []


def test_transcode_resizes_and_keeps_every_frame(tmp_path: Path) -> None:
    source = write_stream(tmp_path / "a.mkv", moving_texture(19, 96, 128), "libx264", {"bf": "2"})
    assert transcode(source, tmp_path / "b.mp4", width=80, height=48, gop_length=8) == 19
    info = describe(tmp_path / "b.mp4")
    assert (info.codec, info.width, info.height, info.frames_per_second) == ("mpeg4", 80, 48, 24.0)
    assert info.gop_lengths == (8, 8, 3)
    first = (tmp_path / "b.mp4").read_bytes()
    transcode(source, tmp_path / "b.mp4", width=80, height=48, gop_length=8)
    assert (tmp_path / "b.mp4").read_bytes() == first


def test_transcode_defaults_are_the_papers(tmp_path: Path) -> None:
    transcode(clip(tmp_path / "a.mp4", moving_texture(13)), tmp_path / "b.mp4")
    info = describe(tmp_path / "b.mp4")
    assert (info.width, info.height, info.gop_lengths) == (320, 256, (12, 1))


def test_transcode_turns_pictures_upright(tmp_path: Path) -> None:
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48] = 255
    source = write_stream(tmp_path / "a.mp4", [picture] * 4, "libx264", H264_ONE_REFERENCE)
    data = bytearray(source.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    quarter_turn = [0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30]
    data[matrix : matrix + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in quarter_turn)
    source.write_bytes(data)
    transcode(source, tmp_path / "b.mp4", width=64, height=96)
    upright = read_gop(tmp_path / "b.mp4", 0, (), (0,)).frames[0]
    # A quarter turn clockwise brings the upper left corner to the upper right.
    assert [int(upright[y, x, 0]) > 128 for y, x in ((20, 16), (20, 48), (70, 16), (70, 48))] == [
        False, True, False, False,
    ]  # fmt: skip


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        path = clip(tmp_path / "a.mp4", moving_texture(2))
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o640
