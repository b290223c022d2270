"""Kinetics-400's tables become rows."""

from pathlib import Path

import pytest
from support.official_trees import kinetics400_tree

from cdkd.data.annotations.kinetics400 import clean_label, kinetics400_names, read_kinetics400
from cdkd.data.manifest import DatasetError, LabelledVideo

ROWS = (
    ("abseiling/0347ZoDXyP0_000095_000105.mp4", 0, "", "train"),
    ("abseiling/3caPS4FHFF8_000036_000046.mp4", 0, "", "test"),
    ("abseiling/gone_gone___000003_000013.mp4", 0, "", "train"),
    ("massaging_persons_head/-aBc_1-2_3x_000007_000017.mp4", 1, "", "train"),
    ("massaging_persons_head/-abc_1-2_3x_000112_000122.mp4", 1, "", "train"),
    ("massaging_persons_head/vvvvvvvvvvv_000000_000010.mp4", 1, "", "test"),
    ("passing_American_football_in_game/kkk-_kkkkkk_000001_000011.mp4", 2, "", "train"),
    ("passing_American_football_in_game/lost_lost___000020_000030.mp4", 2, "", "test"),
    ("unlabelled/--hidden-00_000044_000054.mp4", -1, "", "unused"),
)


def test_rows(tmp_path: Path) -> None:
    annotation = read_kinetics400(kinetics400_tree(tmp_path), 1)
    assert annotation.classes == ("abseiling", "massaging_persons_head", "passing_American_football_in_game")
    assert annotation.videos == tuple(LabelledVideo(*row) for row in ROWS)


def test_other_file_names_and_more_columns(tmp_path: Path) -> None:
    header = "label,youtube_id,time_start,time_end,split,is_cc\n"
    (tmp_path / "kinetics-400_train.csv").write_text("\ufeff" + header + "\n\nzumba,abcdefghijk,1.0,11.0,train,0\n")
    (tmp_path / "kinetics-400_validate.csv").write_text(header + "zumba,lmnopqrstuv,2,12,validate,1\n")
    assert read_kinetics400(tmp_path, 1).videos == (
        LabelledVideo("zumba/abcdefghijk_000001_000011.mp4", 0, "", "train"),
        LabelledVideo("zumba/lmnopqrstuv_000002_000012.mp4", 0, "", "test"),
    )


def test_clean_label() -> None:
    assert clean_label('"petting animal (not cat)"') == "petting_animal_not_cat"


def test_names_of_copies() -> None:
    assert kinetics400_names("a_b_000007_000017") == ("a_b_000007_000017", "a_b_7", "a_b")
    assert kinetics400_names("something") == ("something",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,youtube_id,time_start\n", r"train.csv:1: .*lacks time_end"),
        ("label,youtube_id,time_start,time_end,split\nzumba,abc,one,11,train\n", r"train.csv:2: .*seconds"),
        ("label,youtube_id,time_start,time_end,split\nzumba,abc\n", r"train.csv:2: 5 columns"),
        ("label,youtube_id,time_start,time_end,split\nzumba,../abc,1,11,train\n", r"train.csv:2: a youtube_id"),
    ],
)
def test_wrong_tables_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    (kinetics400_tree(tmp_path) / "annotations" / "train.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_kinetics400(tmp_path, 1)
