"""A check says what a prepared set lacks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support import faulty_videos
from support.official_trees import hmdb51_tree, kinetics400_tree, ssv2_tree, ucf101_tree

from cdkd.data.annotations.catalog import DATASETS
from cdkd.data.annotations.spec import DatasetSpec
from cdkd.data.manifest import DatasetError
from cdkd.data.preparation.check import LeftOut, PartCheck, check_dataset
from cdkd.data.preparation.prepare import PrepareJob, prepare
from cdkd.data.preparation.transcoding import TranscodeSettings

SMALL = TranscodeSettings(width=80, height=64, gop_length=6, quantiser=8)

# The catalog's data sets, but of the size of the miniature trees.
TINY = {
    "ucf101": replace(
        DATASETS["ucf101"],
        num_classes=3,
        counts={1: {"train": 5, "test": 2}, 2: {"train": 4, "test": 3}, 3: {"train": 5, "test": 2}},
    ),
    "hmdb51": replace(
        DATASETS["hmdb51"],
        num_classes=3,
        counts={1: {"train": 5, "test": 2}, 2: {"train": 3, "test": 3, "unused": 1}, 3: {"train": 4, "test": 2}},
    ),
    "kinetics400": replace(DATASETS["kinetics400"], num_classes=3),
    "ssv2": replace(DATASETS["ssv2"], num_classes=4, counts={1: {"train": 3, "test": 3, "unused": 1}}),
}
TREES: dict[str, Callable[[Path], Path]] = {
    "ucf101": ucf101_tree,
    "hmdb51": hmdb51_tree,
    "kinetics400": kinetics400_tree,
    "ssv2": ssv2_tree,
}


def prepared(root: Path, spec: DatasetSpec, max_broken: float = 0.01) -> Path:
    prepare(PrepareJob(spec, root / "in", root / "out", settings=SMALL, max_broken=max_broken))
    return root / "out"


@pytest.mark.parametrize("name", TREES)
def test_a_complete_set_has_no_problems(tmp_path: Path, name: str) -> None:
    TREES[name](tmp_path / "in")
    report = check_dataset(TINY[name], prepared(tmp_path, TINY[name]), with_digests=True)
    assert report.problems == ()
    assert report.is_complete
    assert sorted(report.versions) == list(TINY[name].splits)


def test_counts_of_each_part(tmp_path: Path) -> None:
    kinetics400_tree(tmp_path / "in")
    report = check_dataset(TINY["kinetics400"], prepared(tmp_path, TINY["kinetics400"]))
    assert report.parts == (
        PartCheck(split=1, part="train", official=None, listed=5, present=4),
        PartCheck(split=1, part="test", official=None, listed=3, present=2),
        PartCheck(split=1, part="unused", official=None, listed=1, present=0),
    )
    lost = [entry.path for entry in report.left_out]
    assert lost == [
        "abseiling/gone_gone___000003_000013.mp4",
        "passing_American_football_in_game/lost_lost___000020_000030.mp4",
    ]


def test_official_counts_are_compared(tmp_path: Path) -> None:
    ucf101_tree(tmp_path / "in")
    report = check_dataset(DATASETS["ucf101"], prepared(tmp_path, DATASETS["ucf101"]))
    assert report.problems[:3] == (
        "3 classes, officially 101",
        "split 1, train: the annotation lists 5 videos, officially 9,537",
        "split 1, test: the annotation lists 2 videos, officially 3,783",
    )
    assert len(report.problems) == 7


def test_broken_and_missing_videos_are_named(tmp_path: Path) -> None:
    videos = ucf101_tree(tmp_path / "in") / "UCF-101"
    faulty_videos.text(videos / "YoYo/v_YoYo_g02_c04.avi")
    (videos / "YoYo/v_YoYo_g25_c03.avi").unlink()
    report = check_dataset(TINY["ucf101"], prepared(tmp_path, TINY["ucf101"], max_broken=0.5))
    assert report.problems[:2] == (
        "split 1, train: 1 of 5 listed videos are not there",
        "split 1, test: 1 of 2 listed videos are not there",
    )
    assert report.problems[-1] == "2 listed videos could not be used; quarantine.csv says why"
    gone = LeftOut("YoYo/v_YoYo_g25_c03.avi", "broken", f"not found below {tmp_path / 'in'}")
    assert gone in report.left_out
    assert [entry.path for entry in report.left_out] == ["YoYo/v_YoYo_g02_c04.avi", gone.path]


def test_files_that_changed_since_are_damaged(tmp_path: Path) -> None:
    ucf101_tree(tmp_path / "in")
    root = prepared(tmp_path, TINY["ucf101"])
    (root / "videos/YoYo/v_YoYo_g02_c04.mp4").unlink()
    faulty_videos.zero_bytes(root / "videos/YoYo/v_YoYo_g25_c03.mp4").write_bytes(b"")
    changed = root / "videos/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.mp4"
    changed.write_bytes(changed.read_bytes()[:-1] + b"?")
    gone = ("videos/YoYo/v_YoYo_g02_c04.mp4", "videos/YoYo/v_YoYo_g25_c03.mp4")
    assert check_dataset(TINY["ucf101"], root).damaged == gone
    report = check_dataset(TINY["ucf101"], root, with_digests=True)
    assert report.damaged == ("videos/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.mp4", *gone)
    assert report.problems[-1] == "3 prepared files are gone or changed; prepare the data set again"


def test_another_data_set_or_none_is_refused(tmp_path: Path) -> None:
    ucf101_tree(tmp_path / "in")
    root = prepared(tmp_path, TINY["ucf101"])
    with pytest.raises(DatasetError, match="holds ucf101, not hmdb51"):
        check_dataset(TINY["hmdb51"], root)
    with pytest.raises(DatasetError, match=r"manifest.csv: not found; prepare the data set"):
        check_dataset(TINY["hmdb51"], tmp_path)
