"""The inference benchmark: what each row reads of a real video, and what the ratios are relative to."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.videos import clip, moving_texture

from cdkd.bench.inference import InferenceError, InferenceSettings, measure_inference
from cdkd.cli.bench import command


def test_rows_are_relative_to_the_teacher(tmp_path: Path) -> None:
    video = clip(tmp_path / "clip.mp4", moving_texture(30))
    arguments = [str(video), "--way", "teacher", "--way", "lite", "--size", "32", "--repeats", "1", "--json"]
    done = CliRunner().invoke(command, ["inference", *arguments], catch_exceptions=False)
    teacher, lite = json.loads(done.stdout)
    assert (teacher["way"], lite["way"], lite["video"]) == ("teacher", "lite", "clip.mp4")
    assert (teacher["decode_ratio"], teacher["network_ratio"], teacher["total_ratio"]) == (1.0, 1.0, 1.0)
    for row in (teacher, lite):
        assert row["total_milliseconds"] == pytest.approx(row["decode_milliseconds"] + row["network_milliseconds"])
    assert lite["total_ratio"] == pytest.approx(lite["total_milliseconds"] / teacher["total_milliseconds"])
    assert lite["decode_ratio"] == pytest.approx(lite["decode_milliseconds"] / teacher["decode_milliseconds"])


def test_a_video_whose_gops_are_too_short_is_named(tmp_path: Path) -> None:
    video = clip(tmp_path / "short.mp4", moving_texture(12), gop_length=4)
    with pytest.raises(InferenceError, match=r"short.mp4: no group of pictures has the 7 frames of a clip"):
        measure_inference([video], InferenceSettings(("lite",), 32, 1))
    unknown = CliRunner().invoke(command, ["inference", "--way", "student-tsm"])
    assert unknown.exit_code == 2 and "no such row; there are teacher, student, " in unknown.stderr
