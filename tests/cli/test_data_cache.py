"""`cdkd data cache` and `cdkd data prepare --cache` as a user types them."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from support.official_trees import H264, write_video
from support.prepared import prepared_folder

from cdkd.cli.data_sets import commands
from cdkd.data.cache.gop_index import INDEX_NAME
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.opening import open_dataset


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "home"))


def invoke(*arguments: object) -> Result:
    group = click.Group("data", commands={command.name or "": command for command in commands})
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


def test_prepare_with_cache_makes_what_training_reads(tmp_path: Path) -> None:
    for number in range(8):
        write_video(tmp_path / "in" / "ab"[number % 2] / f"{number}.mp4", H264, num_frames=16, seed=number)
    output = tmp_path / "out"
    small = ("--width", 80, "--height", 64, "--gop", 8, "--workers", 1)
    result = invoke("prepare", "folder", "--source", tmp_path / "in", "--output", output, *small, "--cache")
    assert result.exit_code == 0, result.output
    assert "packed 16 groups of pictures of 8 videos, 0.00 GB" in result.stdout
    assert len(json.loads((output / INDEX_NAME).read_text())["videos"]) == 8
    assert open_dataset(output, cache="packed").clips("train", ClipLayout(1, 6)).packed is not None


def test_cache_of_one_part_with_wide_windows(tmp_path: Path) -> None:
    manifest = prepared_folder(tmp_path / "set", 2, 3)
    options = ("--frames-per-gop", 3, "--student-window", 5, "--motion", "per_frame", "--workers", 1)
    result = invoke("cache", "--root", manifest.root, "--part", "test", *options)
    folder = manifest.root / "packed" / "p3-s5-t1-per_frame"
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("packed 9 groups of pictures of 3 videos")
    assert result.stdout.endswith(f"in {folder}\n") and (folder / "packed.json").exists()
    assert result.stderr.splitlines()[-1] == "packing: 3 of 3 videos, 0 broken"


def test_cache_of_coviars_residual(tmp_path: Path) -> None:
    manifest = prepared_folder(tmp_path / "set", 1, 1)
    options = ("--frames-per-gop", 3, "--residual", "coviar", "--workers", 1)
    result = invoke("cache", "--root", manifest.root, *options)
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith(f"in {manifest.root / 'packed' / 'p3-s1-t1-accumulated-coviar'}\n")


def test_a_window_without_middle_is_refused(tmp_path: Path) -> None:
    result = invoke("cache", "--root", tmp_path, "--student-window", 4)
    assert str(result.exception) == "--student-window 4: a window has a middle; give an odd number, or 0 for none"
