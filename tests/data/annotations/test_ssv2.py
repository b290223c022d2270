"""Something-Something V2's files become rows."""

import json
from pathlib import Path

import pytest
from support.official_trees import ssv2_tree

from cdkd.data.annotations.ssv2 import read_ssv2
from cdkd.data.manifest import DatasetError, LabelledVideo

CLASSES = (
    "Approaching something with your camera",
    "Pulling something from left to right",
    "Pushing something so it, sadly, falls",
    "Turning the camera left while filming something",
)
ROWS = (
    ("100.webm", 3, "", "test"),
    ("220847.webm", 2, "", "test"),
    ("42.webm", 0, "", "train"),
    ("43.webm", 0, "", "train"),
    ("7.webm", 1, "", "test"),
    ("78687.webm", 2, "", "train"),
    ("999.webm", 2, "", "unused"),
)


@pytest.mark.parametrize("prefix", ["", "something-something-v2-"])
def test_rows_under_new_and_old_file_names(tmp_path: Path, prefix: str) -> None:
    annotation = read_ssv2(ssv2_tree(tmp_path, prefix), 1)
    assert annotation.classes == CLASSES
    assert annotation.videos == tuple(LabelledVideo(*row) for row in ROWS)


def test_without_answers_the_test_part_has_no_label(tmp_path: Path) -> None:
    assert read_ssv2(ssv2_tree(tmp_path, with_answers=False), 1).videos[-1] == LabelledVideo(
        "999.webm", -1, "", "unused"
    )


def test_classes_are_ordered_by_number_not_by_text(tmp_path: Path) -> None:
    labels = {f"class {letter}": str(number) for number, letter in enumerate("ponmlkjihgfe")}
    (ssv2_tree(tmp_path) / "labels" / "labels.json").write_text(json.dumps(labels))
    for name in ("train", "validation", "test"):
        (tmp_path / "labels" / f"{name}.json").write_text("[]")
    (tmp_path / "labels" / "test-answers.csv").unlink()
    assert read_ssv2(tmp_path, 1).classes == tuple(f"class {letter}" for letter in "ponmlkjihgfe")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("train", '[{"id": "1", "template": "Juggling [something]"}]', "template 'Juggling something' is no class"),
        ("train", "[{]", r"train.json:1: not valid JSON"),
        ("validation", '[{"template": "x"}]', r"validation.json:1: an object with a numeric id"),
        ("labels", '{"a": "0", "b": "2"}', "not numbered from 0 without gaps"),
        ("labels", "[1, 2]", "an object of class"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (ssv2_tree(tmp_path) / "labels" / f"{name}.json").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_ssv2(tmp_path, 1)
