"""HMDB-51's lists become rows."""

from pathlib import Path

import pytest
from support.official_trees import hmdb51_tree

from cdkd.data.annotations.hmdb51 import read_hmdb51
from cdkd.data.manifest import DatasetError, LabelledVideo

SPLIT_1 = (
    ("brush_hair/#20_Rhythm_[clap]_brush_hair_h_cm_np2_fr_bad_0.avi", 0, "#20_Rhythm_[clap]", "train"),
    ("brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi", 0, "April_09", "train"),
    ("brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_1.avi", 0, "April_09", "train"),
    ("kick/Ein_glück_&_mehr!_kick_f_cm_np1_le_med_3.avi", 1, "Ein_glück_&_mehr!", "train"),
    ("kick/untitled.avi", 1, "", "test"),
    ("kick_ball/Amazing_Soccer_#2_kick_ball_f_cm_np1_ba_bad_0.avi", 2, "Amazing_Soccer_#2", "train"),
    ("kick_ball/Amazing_Soccer_#2_kick_ball_f_cm_np1_ba_bad_1.avi", 2, "Amazing_Soccer_#2", "test"),
)


def test_rows_of_split_1(tmp_path: Path) -> None:
    annotation = read_hmdb51(hmdb51_tree(tmp_path), 1)
    assert annotation.classes == ("brush_hair", "kick", "kick_ball")
    assert annotation.videos == tuple(LabelledVideo(*row) for row in SPLIT_1)


def test_tag_0_is_unused(tmp_path: Path) -> None:
    annotation = read_hmdb51(hmdb51_tree(tmp_path), 3)
    assert annotation.num_videos_per_part == {"train": 4, "test": 2, "unused": 1}
    assert [video.path[-5] for video in annotation.videos if video.part == "unused"] == ["1"]


@pytest.mark.parametrize("row", ["walk.avi 3 ", "walk.avi", "1 "])
def test_wrong_rows_name_file_and_line(tmp_path: Path, row: str) -> None:
    lists = hmdb51_tree(tmp_path) / "testTrainMulti_7030_splits"
    (lists / "kick_test_split2.txt").write_text(f"good.avi 1 \n{row}\n")
    with pytest.raises(DatasetError, match=r"kick_test_split2.txt:2: .*tag of 0, 1 or 2"):
        read_hmdb51(tmp_path, 2)


def test_missing_lists_name_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no \*_test_split2.txt .*testTrainMulti_7030_splits"):
        read_hmdb51(tmp_path, 2)
