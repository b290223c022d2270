"""List files in the style of TSM, TDN and CoViAR become rows."""

from pathlib import Path

import pytest

from cdkd.data.annotations.list_file import read_lists
from cdkd.data.manifest import DatasetError, LabelledVideo


def test_tsm_rows_count_frames(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("YoYo/v_YoYo_g01_c01 120 1\r\n/ssd/frames/Archery/v_Archery_g01_c01 99 0\r\n")
    annotation = read_lists({"train": tmp_path / "a.txt"})
    assert annotation.classes == ("Archery", "YoYo")
    assert annotation.videos == (
        LabelledVideo("Archery/v_Archery_g01_c01", 0, "", "train"),
        LabelledVideo("YoYo/v_YoYo_g01_c01", 1, "", "train"),
    )


def test_tdn_video_rows_may_hold_blanks(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("my videos/one two.mp4 2\nmy videos/three 4.webm 300 0\n")
    annotation = read_lists({"test": tmp_path / "a.txt"}, classes=("x", "y", "z"))
    assert annotation.classes == ("x", "y", "z")
    assert annotation.videos == (
        LabelledVideo("my videos/one two.mp4", 2, "", "test"),
        LabelledVideo("my videos/three 4.webm", 0, "", "test"),
    )


def test_coviar_rows_name_the_class(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("clips/a.avi brush_hair 0\nclips/b.avi cartwheel 1\n")
    (tmp_path / "b.txt").write_text("clips/c.avi cartwheel 1\n")
    annotation = read_lists({"train": tmp_path / "a.txt", "test": tmp_path / "b.txt"})
    assert annotation.classes == ("brush_hair", "cartwheel")
    assert [video.part for video in annotation.videos] == ["train", "train", "test"]


def test_classes_that_cannot_be_named_are_numbered(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a.avi 0\nb.avi 2\n")
    assert read_lists({"train": tmp_path / "a.txt"}).classes == ("class_0", "class_1", "class_2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.avi 0\nb.avi\n", "a.txt:2: 'path num_frames label'"),
        ("a.avi 0\nb.avi 5\n", "a.txt:2: label 5, but there are 2 classes"),
        ("a.avi 0\na.avi 1\n", "a.txt:2: a.avi is listed twice"),
        ("\n \n", "no videos are listed"),
    ],
)
def test_wrong_lists_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_lists({"train": tmp_path / "a.txt"}, classes=("x", "y"))
