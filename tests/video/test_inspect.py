"""What `cdkd data inspect` counts."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.videos import MPEG4_B_FRAMES, clip, moving_texture, sudden_square, write_stream

from cdkd.cli.data import command
from cdkd.video.frames import VideoError
from cdkd.video.inspect import inspect_video


def test_counts_of_a_plain_file(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(26, 64, 96, (3, 0)), four_vectors=False)
    inspection = inspect_video(path)
    assert inspection.num_decoded == 26
    assert [(kind.picture_type, kind.num_frames) for kind in inspection.frame_types] == [("I", 3), ("P", 23)]
    bits = sum(kind.num_frames * kind.mean_bits for kind in inspection.frame_types)
    assert 0.85 * 8 * path.stat().st_size < bits < 8 * path.stat().st_size
    assert inspection.block_fractions == {"16x16": 1.0}
    assert inspection.intra_fraction == pytest.approx(0.0, abs=0.01)
    assert inspection.mean_motion_pixels == pytest.approx(3.0, abs=0.2)
    assert inspection.verdict == "read exactly, relative to the I-frame and to the frame before"


def test_intra_blocks_are_measured(tmp_path: Path) -> None:
    # Of 12 P-frames one has at least 2 of 24 macroblocks without a vector.
    fraction = inspect_video(clip(tmp_path / "a.mp4", sudden_square())).intra_fraction
    assert fraction is not None
    assert fraction >= 2 / 24 / 12


def test_a_codec_without_vectors_is_told_apart(tmp_path: Path) -> None:
    path = write_stream(tmp_path / "a.webm", moving_texture(5, 64, 96), "libvpx-vp9", {"deadline": "realtime"})
    inspection = inspect_video(path)
    assert (inspection.info.codec, inspection.intra_fraction, inspection.block_fractions) == ("vp9", None, {})
    assert inspection.verdict.startswith("cannot be read: it is vp9")
    assert inspection.num_decoded == 5


def test_command_in_text_and_json(tmp_path: Path) -> None:
    path = write_stream(tmp_path / "b.mp4", moving_texture(16), "mpeg4", MPEG4_B_FRAMES)
    text = CliRunner().invoke(command, ["inspect", str(path)])
    assert text.exit_code == 0
    assert "B-frames:    yes" in text.output
    assert "2: 1 of 12, 1 of 4 frames" in text.output
    values = json.loads(CliRunner().invoke(command, ["inspect", str(path), "--json"]).output)
    assert values["info"]["gop_lengths"] == [12, 4]
    assert values["info"]["path"] == str(path)
    assert {kind["picture_type"]: kind["num_frames"] for kind in values["frame_types"]} == {"I": 2, "P": 4, "B": 10}


def test_damage_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("no video")
    with pytest.raises(VideoError, match="Invalid data"):
        inspect_video(path)
