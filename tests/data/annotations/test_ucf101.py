"""UCF-101's lists become rows."""

from pathlib import Path

import pytest
from support.official_trees import ucf101_tree

from cdkd.data.annotations.ucf101 import read_ucf101
from cdkd.data.manifest import DatasetError, LabelledVideo

SPLIT_1 = (
    ("ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi", 0, "ApplyEyeMakeup_g08", "train"),
    ("ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c02.avi", 0, "ApplyEyeMakeup_g08", "train"),
    ("ApplyEyeMakeup/v_ApplyEyeMakeup_g09_c01.avi", 0, "ApplyEyeMakeup_g09", "train"),
    ("HandstandPushups/v_HandStandPushups_g01_c01.avi", 1, "HandstandPushups_g01", "test"),
    ("HandstandPushups/v_HandStandPushups_g08_c01.avi", 1, "HandstandPushups_g08", "train"),
    ("YoYo/v_YoYo_g02_c04.avi", 2, "YoYo_g02", "test"),
    ("YoYo/v_YoYo_g25_c03.avi", 2, "YoYo_g25", "train"),
)


def test_crlf_lists_of_split_1(tmp_path: Path) -> None:
    annotation = read_ucf101(ucf101_tree(tmp_path), 1)
    assert annotation.classes == ("ApplyEyeMakeup", "HandstandPushups", "YoYo")
    assert annotation.videos == tuple(LabelledVideo(*row) for row in SPLIT_1)


@pytest.mark.parametrize(("split", "parts"), [(1, "TTTeTeT"), (2, "TTeTeTe"), (3, "eeTTTTT")])
def test_splits_differ_in_parts_alone(tmp_path: Path, split: int, parts: str) -> None:
    videos = read_ucf101(ucf101_tree(tmp_path), split).videos
    assert [video.path for video in videos] == [row[0] for row in SPLIT_1]
    assert [video.part for video in videos] == [{"T": "train", "e": "test"}[letter] for letter in parts]


def test_folder_in_another_letter_case_is_the_same_class(tmp_path: Path) -> None:
    lists = ucf101_tree(tmp_path) / "ucfTrainTestlist"
    (lists / "trainlist01.txt").write_text("HandStandPushups/v_HandStandPushups_g08_c01.avi 2\n")
    video = read_ucf101(tmp_path, 1).videos[1]
    assert video == LabelledVideo("HandstandPushups/v_HandStandPushups_g08_c01.avi", 1, "HandstandPushups_g08", "train")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("trainlist01.txt", "YoYo/v_YoYo_g01_c01.avi 3\nYoYo/v_YoYo_g01_c02.avi 2\n", r"list01.txt:2: YoYo is class 3"),
        ("testlist01.txt", "Juggling/v_Juggling_g01_c01.avi\n", r"testlist01.txt:1: .*class of classInd.txt"),
        ("testlist01.txt", "YoYo/v_YoYo_g25_c03.avi\n", r"testlist01.txt:1: .*listed twice"),
        ("classInd.txt", "1 ApplyEyeMakeup\n3 YoYo\n", r"classInd.txt:2: '2 ClassName' is expected"),
    ],
)
def test_wrong_rows_name_file_and_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    lists = ucf101_tree(tmp_path) / "ucfTrainTestlist"
    (lists / name).write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_ucf101(tmp_path, 1)


def test_missing_lists_name_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no classInd.txt .*UCF101TrainTestSplits-RecognitionTask.*--annotations"):
        read_ucf101(tmp_path, 1)
