"""Annotation files are found and read whatever machine wrote them."""

from pathlib import Path

import pytest

from cdkd.data.annotations.annotation import find_annotation, read_lines, read_table, require_annotation
from cdkd.data.manifest import DatasetError


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone \r\n\r\n two\r\nthr\xff ")
    lines = read_lines(tmp_path / "a.txt")
    assert [(line.number, line.text) for line in lines] == [(1, "one"), (3, "two"), (4, "thr\udcff")]
    assert str(lines[1].error("is wrong")) == f"{tmp_path}/a.txt:3: is wrong: 'two'"


def test_table_by_column_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('Path , LABEL,extra\r\n"a, b", x ,1,2\n\nc,y,\n')
    rows = read_table(tmp_path / "a.csv", ("path", "label"))
    assert [(line.number, row) for line, row in rows] == [
        (2, {"path": "a, b", "label": "x", "extra": "1"}),
        (4, {"path": "c", "label": "y", "extra": ""}),
    ]


def test_shallow_files_come_first(tmp_path: Path) -> None:
    for name in ("a/b/x.txt", "c/x.txt", "c/old-x.txt", "a/b/c/deep.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_annotation(tmp_path, "old-x.txt", "x.txt") == tmp_path / "c/old-x.txt"
    assert find_annotation(tmp_path / "a", "x.txt") == tmp_path / "a/b/x.txt"
    assert find_annotation(tmp_path, "deep.txt") is None
    with pytest.raises(DatasetError, match=r"no deep.txt here or two folders below; add the lists, or .*--annotations"):
        require_annotation(tmp_path, "the lists", "deep.txt")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere.txt: cannot be read: No such file"):
        read_lines(tmp_path / "nowhere.txt")
