"""Anybody's own folder of videos becomes rows."""

from pathlib import Path

import pytest

from cdkd.data.annotations.folder import read_folder
from cdkd.data.manifest import DatasetError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def rows(root: Path) -> list[tuple[str, int, str, str]]:
    return [(v.path, v.label, v.group, v.part) for v in read_folder(root, 1).videos]


def test_one_folder_per_class_gets_a_test_part(tmp_path: Path) -> None:
    touch(tmp_path, *(f"walk/{i}.mp4" for i in range(10)), *(f"run/{i}.webm" for i in range(5)), "run/notes.txt")
    annotation = read_folder(tmp_path, 1)
    assert annotation.classes == ("run", "walk")
    assert annotation.num_videos_per_part == {"train": 12, "test": 3}
    per_class = [sum(v.part == "test" for v in annotation.videos if v.label == label) for label in (0, 1)]
    assert per_class == [1, 2]
    assert read_folder(tmp_path, 1) == annotation


def test_a_deeper_folder_keeps_videos_together(tmp_path: Path) -> None:
    touch(tmp_path, *(f"walk/anna/{i}.mp4" for i in range(4)), *(f"walk/{i}.mp4" for i in range(4)))
    touch(tmp_path, *(f"run/bert/{i}.mp4" for i in range(3)), "run/carla/0.mp4")
    parts = {(group, part) for _, _, group, part in rows(tmp_path) if group}
    # run gives its smaller group; walk can give a single video.
    assert parts == {("walk/anna", "train"), ("run/bert", "train"), ("run/carla", "test")}


def test_parts_at_the_top(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.mp4", "Train/b/2.mp4", "val/a/3.mp4", "test/b/4.mp4", "test/stray.mp4")
    assert rows(tmp_path) == [
        ("Train/b/2.mp4", 1, "", "train"),
        ("test/b/4.mp4", 1, "", "test"),
        ("train/a/1.mp4", 0, "", "train"),
        ("val/a/3.mp4", 0, "", "validation"),
    ]


def test_table(tmp_path: Path) -> None:
    (tmp_path / "videos.csv").write_text(
        "path,label,group,split\n"
        '"a, b.mp4",walk,anna,train\n'
        f"{tmp_path}/c#[1].mp4,run,,test\n"
        "d \u00e9.mp4,walk,anna,VAL\n"
        "e.mp4,run,bert,\n"
    )
    expected = [
        ("a, b.mp4", 1, "anna", "train"),
        ("c#[1].mp4", 0, "", "test"),
        ("d é.mp4", 1, "anna", "validation"),
        ("e.mp4", 0, "bert", "train"),
    ]
    assert rows(tmp_path) == expected
    assert rows(tmp_path / "videos.csv") == expected


def test_numbers_as_labels_are_ordered_by_value(tmp_path: Path) -> None:
    (tmp_path / "videos.csv").write_text("path,label,split\na.mp4,10,test\nb.mp4,9,train\n")
    assert read_folder(tmp_path, 1).classes == ("9", "10")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,group\na.mp4,x\n", r"videos.csv:1: .*lacks label"),
        ("path,label,split\na.mp4,x,learn\nb.mp4,y,test\n", r"videos.csv:2: split must be one of"),
        ("path,label\na.mp4,x\n../b.mp4,y\n", r"videos.csv:3: the path must lie below"),
        ("path,label\na.mp4,x\n/etc/b.mp4,y\n", r"videos.csv:3: the path must lie below"),
        ("path,label\na.mp4,x\nb.mp4,\n", r"videos.csv:3: path and label must not be empty"),
        ("path,label\na.mp4,x\n", r"1 videos of 1 classes"),
    ],
)
def test_wrong_tables_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "videos.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_folder(tmp_path, 1)


def test_two_tables_are_ambiguous(tmp_path: Path) -> None:
    touch(tmp_path, "a.csv", "b.csv")
    with pytest.raises(DatasetError, match=r"several CSV files \(a.csv, b.csv\)"):
        read_folder(tmp_path, 1)


def test_no_folder_and_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"data.root names a folder"):
        read_folder(tmp_path / "nowhere", 1)
    with pytest.raises(DatasetError, match="0 videos of 0 classes; expected are one sub-folder per class"):
        read_folder(tmp_path, 1)
