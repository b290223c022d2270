"""`cdkd data transcode` as a user types it."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.videos import clip, moving_texture, write_stream

from cdkd.cli.data import command
from cdkd.errors import CdkdError
from cdkd.video.frames import VideoError
from cdkd.video.reader import VideoReader, describe


def transcode(*arguments: object) -> Result:
    return CliRunner().invoke(command, ["transcode", *map(str, arguments)])


def test_one_file_becomes_what_the_reader_takes(tmp_path: Path) -> None:
    source = write_stream(tmp_path / "a.webm", moving_texture(30, 70, 100), "libvpx-vp9", {"deadline": "realtime"})
    # The remedy that its refusal names is this command.
    with pytest.raises(VideoError, match=r"is vp9.*re-encode it with `cdkd data transcode`"):
        VideoReader(source)
    result = transcode(source, tmp_path / "b.mp4")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"wrote {tmp_path / 'b.mp4'} (30 frames)\n"
    info = describe(tmp_path / "b.mp4")
    assert (info.codec, info.width, info.height, info.gop_lengths) == ("mpeg4", 96, 64, (12, 12, 6))
    # Whole macroblocks: every kind of residual can be read.
    assert (info.unsupported_reason, info.frame_residual_unsupported_reason) == ("", "")


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (("--width", 320, "--height", 256), (320, 256)),
        (("--width", 64), (64, 48)),
        (("--height", 160), (224, 160)),
        ((), (96, 64)),
    ],
)
def test_size(tmp_path: Path, options: tuple[object, ...], size: tuple[int, int]) -> None:
    # A bare H.264 stream, without a container and so without time stamps.
    source = write_stream(tmp_path / "a.264", moving_texture(3, 70, 100), "libx264", {})
    with pytest.raises(VideoError, match=r"no time stamps.*cdkd data transcode"):
        VideoReader(source)
    result = transcode(source, tmp_path / "b.mp4", *options, "--gop", 2, "--quantiser", 1)
    assert result.exit_code == 0, result.output
    info = describe(tmp_path / "b.mp4")
    assert (info.width, info.height, info.gop_lengths) == (*size, (2, 1))


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", moving_texture(5))
    target = tmp_path / "b.mp4"
    target.write_bytes(b"precious")
    for out, text in ((target, "b.mp4: exists; give --force"), (source, "a.mp4: is IN itself; choose another OUT")):
        result = transcode(source, out)
        assert isinstance(result.exception, CdkdError)
        assert str(result.exception).endswith(text)
    assert target.read_bytes() == b"precious"
    assert transcode(source, target, "--force").exit_code == 0
    assert describe(target).num_frames == 5
    assert isinstance(transcode(source, source, "--force").exception, CdkdError)


def test_bad_input_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    cut = clip(tmp_path / "cut.avi", moving_texture(60))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    os.mkfifo(tmp_path / "pipe.mp4")
    target = clip(tmp_path / "b.mp4", moving_texture(4))
    for name, reason in (("cut.avi", "cut off: holds "), ("pipe.mp4", "is a pipe"), ("none.mp4", "No such file")):
        result = transcode(tmp_path / name, target, "--force")
        assert isinstance(result.exception, VideoError)
        assert reason in str(result.exception) and name in str(result.exception)
        assert describe(target).num_frames == 4


def test_help_shows_examples() -> None:
    text = transcode("--help").stdout
    assert "cdkd data transcode clip.webm clip.mp4" in text
    assert "--force" in text
