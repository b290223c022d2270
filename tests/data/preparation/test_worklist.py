"""Which videos are made, under which names."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.official_trees import H264, ucf101_tree, write_video
from support.preparing import job_of, rows

from cdkd.data.manifest import DatasetError, read_manifest
from cdkd.data.preparation.prepare import prepare


def test_a_single_split_or_part(tmp_path: Path) -> None:
    job = job_of("ucf101", ucf101_tree(tmp_path / "in"), tmp_path / "out")
    prepare(replace(job, splits=(2,), parts=("test",)))
    assert [row[0][-11:] for row in rows(tmp_path / "out", 2)] == ["g09_c01.mp4", "g08_c01.mp4", "g25_c03.mp4"]
    with pytest.raises(DatasetError, match=r"data.split=1, but it was prepared with split 2 only"):
        read_manifest(tmp_path / "out", 1)
    with pytest.raises(DatasetError, match="--split 4: ucf101 has split 1, 2, 3 only"):
        prepare(replace(job, splits=(4,)))


def test_names_that_differ_in_suffix_stay_apart(tmp_path: Path) -> None:
    for name in ("walk/a.mp4", "walk/a.mkv", "walk/b.mkv", "run/c.mkv", "run/d.mkv"):
        write_video(tmp_path / "in" / name, H264)
    prepare(job_of("folder", tmp_path / "in", tmp_path / "out"))
    assert [row[0] for row in rows(tmp_path / "out")] == [
        "videos/run/c.mp4",
        "videos/run/d.mp4",
        "videos/walk/a.mkv.mp4",
        "videos/walk/a.mp4.mp4",
        "videos/walk/b.mp4",
    ]
