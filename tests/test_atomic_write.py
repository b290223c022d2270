"""Files that are there in full or not at all."""

import os
from pathlib import Path

import pytest

from cdkd.atomic_write import atomic_file, atomic_write


def test_text_and_bytes_come_out_as_they_went_in(tmp_path: Path) -> None:
    atomic_write(tmp_path / "made" / "a.txt", "é\udcff\r\n")
    assert (tmp_path / "made" / "a.txt").read_bytes() == b"\xc3\xa9\xff\r\n"
    atomic_write(tmp_path / "made" / "a.txt", b"\x00\x01", is_synced=False)
    assert (tmp_path / "made" / "a.txt").read_bytes() == b"\x00\x01"
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["a.txt"]


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_file(target) as temporary:
        temporary.write_text("half of the n")
        assert target.read_text() == "old"
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_rights_are_what_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic_write(tmp_path / "a.txt", "")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_writers_that_go_by_the_suffix_get_it_and_long_names_fit(tmp_path: Path) -> None:
    target = tmp_path / f"{'x' * 240}.mp4"
    with atomic_file(target, suffix=".part.mp4") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".part.mp4")
        temporary.write_bytes(b"1")
    assert target.read_bytes() == b"1"
