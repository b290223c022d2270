"""Published names find their files."""

from pathlib import Path

import pytest

from cdkd.data.annotations.spec import same_name
from cdkd.data.manifest import DatasetError
from cdkd.data.source_files import SourceFiles, list_videos


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_lists_videos_through_links_but_no_hidden_files(tmp_path: Path) -> None:
    touch(tmp_path / "tree", "b/x #1 [a].AVI", "a/é.webm", ".trash/c.mp4", "a/.half.mp4", "a/readme.txt", "top.mkv")
    touch(tmp_path / "far", "linked.mp4")
    (tmp_path / "tree" / "z").symlink_to(tmp_path / "far")
    (tmp_path / "tree" / "b" / "loop").symlink_to(tmp_path / "tree")
    assert list_videos(tmp_path / "tree") == ("a/é.webm", "b/x #1 [a].AVI", "top.mkv", "z/linked.mp4")


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere: is no folder"):
        list_videos(tmp_path / "nowhere")


def test_finds_by_folder_and_name_whatever_the_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "deep/kick/a.mp4", "deep/walk/a.mp4", "flat.webm")
    files = SourceFiles(tmp_path, same_name, ignore_case=False)
    assert files.find("walk/a.avi") == tmp_path / "deep/walk/a.mp4"
    assert files.find("kick/a.avi") == tmp_path / "deep/kick/a.mp4"
    assert files.find("somewhere/flat.avi") == tmp_path / "flat.webm"
    assert files.find("kick/A.avi") is None


def test_letter_case_is_ignored_only_where_the_publisher_is_careless(tmp_path: Path) -> None:
    touch(tmp_path, "HandstandPushups/v_HandStandPushups_g01.avi")
    published = "HandstandPushups/v_HandstandPushups_g01.avi"
    assert SourceFiles(tmp_path, same_name, ignore_case=False).find(published) is None
    found = SourceFiles(tmp_path, same_name, ignore_case=True).find(published)
    assert found == tmp_path / "HandstandPushups/v_HandStandPushups_g01.avi"
