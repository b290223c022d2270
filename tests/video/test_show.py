"""Pictures of motion and residual."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.videos import clip, moving_texture

from cdkd.cli.data import command
from cdkd.modality import MotionReference, PFrameForm
from cdkd.video.frames import VideoError
from cdkd.video.reader import describe, read_gop
from cdkd.video.show import colour_motion, grey_residual, save_sheet, save_video


def test_colours_of_the_wheel() -> None:
    # Quarter pixels: still; 5 pixels right; 5 down; 2.5 left; 50 right.
    motion = np.array([[[0, 0], [20, 0], [0, 20], [-10, 0], [200, 0]]], np.int16)
    colours = colour_motion(motion, limit_pixels=5.0)[0].tolist()
    assert colours == [[255, 255, 255], [255, 0, 0], [128, 255, 0], [128, 255, 255], [255, 0, 0]]


def test_residual_around_grey() -> None:
    residual = np.array([[[0, 100, -100], [127, -128, 300]]], np.int16)
    assert grey_residual(residual).tolist() == [[[128, 228, 28], [255, 0, 255]]]


def test_sheet_shows_the_liveliest_gop(tmp_path: Path) -> None:
    from matplotlib.image import imread

    still, moving = moving_texture(12, velocity=(0, 0)), moving_texture(12, velocity=(4, 2))
    path = clip(tmp_path / "a.mp4", still + moving + still)
    assert save_sheet(path, tmp_path / "sheet.png", gop=None) == 1
    image = imread(tmp_path / "sheet.png")
    assert image.shape[1] > 1500
    assert image.std() > 0.1
    assert save_sheet(path, tmp_path / "sheet.pdf", gop=2, form=PFrameForm(MotionReference.FRAME_BEFORE)) == 2
    assert (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF")


def test_video_has_three_panels_per_frame(tmp_path: Path) -> None:
    frames = moving_texture(14)
    path = clip(tmp_path / "a.mp4", frames)
    assert save_video(path, tmp_path / "seen.mp4") == 14
    info = describe(tmp_path / "seen.mp4")
    assert (info.width, info.height, info.num_frames) == (3 * 96, 64, 14)
    first = read_gop(tmp_path / "seen.mp4", 0, (), (0,)).frames[0].astype(int)
    assert np.abs(first[:, 96:192] - 255).mean() < 4
    assert np.abs(first[:, 192:] - 128).mean() < 4


def test_errors(tmp_path: Path) -> None:
    single = clip(tmp_path / "one.mp4", moving_texture(1))
    with pytest.raises(VideoError, match="no GOP with P-frames"):
        save_sheet(single, tmp_path / "x.png", gop=None)
    with pytest.raises(VideoError, match="GOP 0 has no P-frames"):
        save_sheet(single, tmp_path / "x.png", gop=0)
    path = clip(tmp_path / "a.mp4", moving_texture(4))
    with pytest.raises(VideoError, match="has 1 GOPs; there is no GOP 7"):
        save_sheet(path, tmp_path / "x.png", gop=7)
    with pytest.raises(VideoError, match="cannot be written"):
        save_sheet(path, tmp_path / "none" / "x.png", gop=0)
    assert not (tmp_path / "x.png").exists()


def test_command(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(5))
    nothing = CliRunner().invoke(command, ["show", str(path)])
    assert nothing.exit_code == 2
    assert "give -o" in nothing.output
    arguments = ["show", str(path), "-o", str(tmp_path / "s.png"), "--mp4", str(tmp_path / "s.mp4"), "--per-frame"]
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0
    assert "(GOP 0)" in done.output
    assert "(5 frames)" in done.output
