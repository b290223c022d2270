"""The reader's benchmark measures what it says."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.videos import MPEG4_B_FRAMES, clip, moving_texture, write_stream

from cdkd.bench.coviar import load
from cdkd.bench.reader import measure, measure_memory
from cdkd.cli.bench import command
from cdkd.modality import ResidualKind
from cdkd.video.frames import VideoError
from cdkd.video.index import index_video
from cdkd.video.reader import read_gop


def test_the_rival_computes_the_same_thing(tmp_path: Path) -> None:
    # Whole-pixel motion of a grey picture: then cutting vectors to whole pixels loses nothing.
    frames = [np.repeat(frame[..., :1], 3, axis=2) for frame in moving_texture(24, 64, 96, (2, 1))]
    path = clip(tmp_path / "a.mp4", frames, quantiser=1)
    read = read_gop(path, 1, (5,))
    motion = load(path, index_video(path).key_times[1], 5, "motion")
    is_whole = (read.motion[0] % 4 == 0).all(-1)
    assert is_whole.mean() > 0.5
    inner = np.s_[16:48, 16:72]
    same = (motion == read.motion[0] // 4).all(-1)
    assert same[inner][is_whole[inner]].mean() > 0.9
    residual = load(path, index_video(path).key_times[1], 5, "residual")
    assert np.abs(residual[inner]).mean() == pytest.approx(np.abs(read.residual[0][inner]).mean(), abs=0.5)
    # By the same definition all is equal but for the rounding of FFmpeg's colours.
    same_definition = read_gop(path, 1, (5,), residual=ResidualKind.COVIAR)
    assert np.abs(residual - same_definition.residual[0]).max() <= 3


def test_rows_and_ratios(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(30))
    rows = measure([path], repeats=1)
    groups = {row.group for row in rows}
    assert groups == {"whole file", "training clip", "raw frames of the clip"}
    for group in groups:
        members = [row for row in rows if row.group == group]
        assert members[0].ratio == 1.0
        for row in members:
            assert row.milliseconds > 0
            assert row.ratio == pytest.approx(row.milliseconds / members[0].milliseconds)
    targets = {row.name: row.target for row in rows if row.target}
    assert targets == {"I-frames, motion": 1.4, "I-frames, motion, residual": 3.0, "clip of 6 P-frames": 1.5}


def test_memory_of_a_worker(tmp_path: Path) -> None:
    memory = measure_memory(clip(tmp_path / "a.mp4", moving_texture(12)))
    # A fresh process, so nothing of the tests' own memory; loading the compiled loops takes most of the difference.
    assert 20 < memory.start_mib < memory.peak_mib < memory.start_mib + 200


def test_unfit_videos(tmp_path: Path) -> None:
    short = clip(tmp_path / "short.mp4", moving_texture(10), gop_length=5)
    with pytest.raises(VideoError, match="no GOP of 12"):
        measure([short], repeats=1)
    packed = write_stream(tmp_path / "b.mp4", moving_texture(24), "mpeg4", MPEG4_B_FRAMES)
    with pytest.raises(VideoError, match="no GOP of 12 I- and P-frames"):
        measure([packed], repeats=1)


def test_command(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(12))
    result = CliRunner().invoke(command, ["reader", str(path), "--repeats", "1", "--json"])
    assert result.exit_code == 0, result.output
    values = json.loads(result.output)
    assert values["rows"][0]["name"] == "FFmpeg, plain decode"
    assert values["memory"][0]["video"] == "a.mp4"
