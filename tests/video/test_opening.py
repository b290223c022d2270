"""Every kind of bad file raises one error with its path and the reason; good ones with odd names or tags are read."""

import gc
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from support.faulty_videos import audio_only, text, zero_bytes
from support.videos import H264_ONE_REFERENCE, clip, encode_packets, moving_texture, write_packets, write_stream

from cdkd.video.frames import VideoError
from cdkd.video.inspect import inspect_video
from cdkd.video.reader import VideoReader, describe, read_gop
from cdkd.video.transcode import transcode


def missing(path: Path) -> Path:
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def random_bytes(path: Path) -> Path:
    path.write_bytes(bytes(range(256)) * 40)
    return path


def without_index(path: Path) -> Path:
    data = clip(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (missing, "No such file"),
        (folder, "Is a directory"),
        (zero_bytes, "is empty"),
        (text, "Invalid data"),
        (random_bytes, "Invalid data"),
        (audio_only, "no video stream"),
        (without_index, "Invalid data"),
    ],
)
def test_bad_files(tmp_path: Path, make: Callable[[Path], Path], reason: str) -> None:
    path = make(tmp_path / "bad one.mp4")
    for use in (describe, VideoReader, lambda p: read_gop(p, 0, [1]), lambda p: transcode(p, tmp_path / "out.mp4")):
        with pytest.raises(VideoError) as caught:
            use(path)
        assert caught.value.path == path
        assert reason in caught.value.reason
    assert not (tmp_path / "out.mp4").exists()


def test_unreadable_permissions(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4")
    path.chmod(0)
    if os.access(path, os.R_OK):
        # Root may read everything: a process without that right has to try.
        tmp_path.chmod(0o755)
        for parent in [*tmp_path.parents][:-2]:
            parent.chmod(0o755)
        code = (
            "import os, sys\n"
            "from cdkd.video.reader import describe\n"
            "from cdkd.video.frames import VideoError\n"
            "os.setuid(65534)\n"
            "try:\n    describe(sys.argv[1])\n"
            "except VideoError as error:\n    print(error)\n"
        )
        run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        message = run.stdout
    else:
        with pytest.raises(VideoError) as caught:
            describe(path)
        message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "Permission denied" in message


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def unix_socket(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    return path


def device(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


@pytest.mark.parametrize(
    ("make", "reason"), [(pipe, "a pipe (FIFO), not a file"), (unix_socket, "a socket"), (device, "a device")]
)
def test_what_is_no_file_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], Path], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may be a hundred bytes long
    path = make(Path("x.mp4"))
    for use in (describe, VideoReader, inspect_video, lambda p: transcode(p, "out.mp4", must_be_whole=True)):
        with pytest.raises(VideoError) as caught:
            use(path)
        assert caught.value.reason.startswith(f"cannot be opened as a video: is {reason}")


def test_a_codec_tag_that_is_no_text(tmp_path: Path) -> None:
    frames = moving_texture(9)
    plain = write_stream(tmp_path / "a.ts", frames, "libx264", H264_ONE_REFERENCE)
    # In a transport stream the tag is the stream's type; one that FFmpeg does not know makes it look at the data.
    path = tmp_path / "b.ts"
    path.write_bytes(with_stream_type(plain.read_bytes(), 0xF7))
    with av.open(str(path)) as container, pytest.raises(UnicodeDecodeError):
        _ = container.streams.video[0].codec_context.codec_tag
    for name in ("iframe", "motion", "residual"):
        ours, expected = (getattr(read_gop(file, 0, range(1, 8)), name) for file in (path, plain))
        np.testing.assert_array_equal(ours, expected)
    assert inspect_video(path).num_decoded == 9
    assert transcode(path, tmp_path / "c.mp4") == 9


def with_stream_type(data: bytes, stream_type: int) -> bytes:
    """A transport stream of one video whose tables call it `stream_type`, their checksums set right."""
    changed = bytearray(data)
    for start in range(0, len(data), 188):
        table = data[start : start + 188].find(b"\x00\x02\xb0", 4, 12)  # a pointer of 0, then a programme map
        if table >= 0:
            first, last = start + table + 1, start + table + 4 + data[start + table + 3]
            place = first + 12 + data[first + 11]
            changed[place] = stream_type
            checksum = 0xFFFFFFFF
            for byte in changed[first : last - 4]:
                checksum ^= byte << 24
                for _ in range(8):
                    checksum = (checksum << 1 ^ (0x04C11DB7 if checksum >> 31 else 0)) & 0xFFFFFFFF
            changed[last - 4 : last] = checksum.to_bytes(4, "big")
    return bytes(changed)


def test_avi_cut_in_the_middle_of_a_frame(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.avi")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.55)])
    with pytest.raises(VideoError, match="damaged or cut short") as caught:
        describe(path)
    assert caught.value.path == path


def test_mp4_cut_behind_its_index(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4")
    data = path.read_bytes()
    start = data.index(b"mdat") - 4
    size = int.from_bytes(data[start : start + 4], "big")
    head, media, index = data[:start], data[start : start + size], data[start + size :]
    # Index first, as for streaming: every chunk moves back by its length.
    table = index.index(b"stco") + 4
    count = int.from_bytes(index[table + 4 : table + 8], "big")
    moved = bytearray(index)
    for entry in range(table + 8, table + 8 + 4 * count, 4):
        offset = int.from_bytes(index[entry : entry + 4], "big") + len(index)
        moved[entry : entry + 4] = offset.to_bytes(4, "big")
    path.write_bytes(head + moved + media)
    assert describe(path).num_frames == 30
    path.write_bytes((head + moved + media)[: -len(media) // 3])
    with pytest.raises(VideoError, match="cut short"):
        describe(path)


def test_one_frame_is_a_gop_without_p_frames(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(1))
    with VideoReader(path) as video:
        assert video.info.gop_lengths == (1,)
        assert video.read_gop(0, (), (0,)).frames.shape == (1, 64, 96, 3)
        with pytest.raises(VideoError, match="GOP 0 has 1 frames"):
            video.read_gop(0, (1,))


def test_size_change_in_the_middle(tmp_path: Path) -> None:
    options = {"g": "6", "bf": "0", "flags": "+bitexact"}
    small, first = encode_packets(moving_texture(6), "mpeg4", options)
    _, second = encode_packets(moving_texture(6, 80, 112), "mpeg4", options)
    data = [bytes(packet) for packet in first + second]
    path = write_packets(tmp_path / "a.avi", small, data, [index % 6 == 0 for index in range(12)])
    assert read_gop(path, 0, (5,)).motion.shape == (1, 64, 96, 2)
    with pytest.raises(VideoError, match=r"changes size from 96x64 to 112x80 in GOP 1.*cdkd data transcode"):
        read_gop(path, 1, (1,))


@pytest.mark.parametrize(
    "name", ["a b#c[1]%20.mp4", "Größe – 视频 🎬.mp4", "http:x.mp4", "-i.mp4", "50%d.mp4", 'it\'s "quoted".mp4']
)
def test_odd_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frames = moving_texture(4, 48, 80)
    clip(Path(name), frames)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert describe(name).gop_lengths == (4,)
    assert read_gop(name, 0, (3,)).motion.shape == (1, 48, 80, 2)
    assert transcode(name, "out " + name, width=64, height=48) == 4


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_memory_and_files_stay_flat_over_1000_files(tmp_path: Path) -> None:
    data = clip(tmp_path / "a.mp4", moving_texture(12, 96, 128)).read_bytes()
    bad = text(tmp_path / "text.mp4")

    def read_many(first: int, last: int) -> None:
        for index in range(first, last):
            path = tmp_path / f"{index}.mp4"
            path.write_bytes(data)
            read_gop(path, 0, (5, 11), (3,))
            path.unlink()
            with pytest.raises(VideoError):
                read_gop(bad, 0, (1,))

    read_many(0, 200)
    gc.collect()
    before, num_files = resident_mib(), len(os.listdir("/proc/self/fd"))
    gc.disable()
    try:
        read_many(200, 1000)
    finally:
        gc.enable()
    # One decoded frame a file left behind would be 15 MiB; 800 index entries are about 1 MiB.
    assert resident_mib() - before < 6
    assert len(os.listdir("/proc/self/fd")) == num_files
