"""Published names find their files."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdkd.data.annotations.catalog import DATASETS
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


def files_of(name: str, folder: Path, *published: str, **changes: Any) -> SourceFiles:
    return SourceFiles(folder, replace(DATASETS[name], **changes), published)


def test_a_folder_has_the_very_files_that_it_lists(tmp_path: Path) -> None:
    touch(tmp_path, "other/clip.avi", "kick/clip.mp4", "kick/there.avi")
    files = files_of("folder", tmp_path, "kick/clip.avi", "kick/there.avi")
    assert files.find("kick/clip.avi") is None
    assert files.find("kick/there.avi") == tmp_path / "kick/there.avi"


def test_lists_of_others_start_somewhere_else_and_name_other_suffixes(tmp_path: Path) -> None:
    touch(tmp_path, "deep/kick/a.mp4", "deep/walk/a.mp4", "other/b.avi", "b.avi", "walk/clip.v2.webm", "walk/clip.avi")
    touch(tmp_path, "one/run/c.avi", "two/run/c.avi", "one/run/d.mkv", "one/run/d.avi")
    listed = ("walk/a", "kick/a.avi", "kick/b", "walk/clip.v2", "walk/clip.v3", "run/c", "run/d", "b")
    files = files_of("folder", tmp_path, *listed, layout="same_folder")
    assert files.find("walk/a") == tmp_path / "deep/walk/a.mp4"
    assert files.find("kick/a.avi") == tmp_path / "deep/kick/a.mp4"
    assert files.find("kick/b") is None  # neither that of another folder nor that of none
    assert files.find("walk/clip.v2") == tmp_path / "walk/clip.v2.webm"
    assert files.find("walk/clip.v3") is None  # a dot in a name begins no suffix
    assert files.find("run/c") is None  # which of the two?
    assert files.find("run/d") == tmp_path / "one/run/d.avi"


def test_a_benchmark_copy_may_keep_its_classes_anywhere_or_none(tmp_path: Path) -> None:
    touch(tmp_path, "deep/kick/a.mp4", "deep/walk/a.mp4", "flat/b.webm", "top.mkv")
    files = files_of("hmdb51", tmp_path, "walk/a.avi", "kick/a.avi", "kick/b.avi", "walk/top.avi")
    assert files.find("walk/a.avi") == tmp_path / "deep/walk/a.mp4"
    assert files.find("kick/a.avi") == tmp_path / "deep/kick/a.mp4"
    assert files.find("kick/b.avi") == tmp_path / "flat/b.webm"
    assert files.find("walk/top.avi") == tmp_path / "top.mkv"
    assert files.find("kick/A.avi") is None


def test_a_file_of_another_class_is_never_taken(tmp_path: Path) -> None:
    touch(tmp_path, "walk/clip.avi", "walk/more/deep.avi", "flat/two.avi")
    files = files_of("hmdb51", tmp_path, "kick/clip.avi", "kick/deep.avi", "walk/x.avi", "kick/two.avi", "walk/two.avi")
    assert files.find("kick/clip.avi") is None
    assert files.find("kick/deep.avi") is None
    assert files.find("kick/two.avi") is None  # two videos bear that name, and a flat copy does not tell which it is
    assert files.find("walk/two.avi") is None


def test_names_and_folders_of_kinetics_copies(tmp_path: Path) -> None:
    touch(tmp_path, "train/passing football (in game)/abc_000003_000013.mp4", "val/abc_23.mp4", "flat/xyz.mkv")
    listed = ["passing_football_in_game/abc_000003_000013.mp4", "passing_football_in_game/abc_000023_000033.mp4"]
    listed += ["abseiling/xyz_000000_000010.mp4", "abseiling/uvw_000000_000010.mp4", "abseiling/uvw_000050_000060.mp4"]
    files = files_of("kinetics400", touch(tmp_path, "flat/uvw.mp4"), *listed)
    assert [files.find(path) for path in listed] == [
        tmp_path / "train/passing football (in game)/abc_000003_000013.mp4",
        tmp_path / "val/abc_23.mp4",
        tmp_path / "flat/xyz.mkv",
        None,  # one file by that id, two clips
        None,
    ]


def test_letter_case_is_ignored_only_where_the_publisher_is_careless(tmp_path: Path) -> None:
    touch(tmp_path, "HandStandPushups/v_HandStandPushups_g01.avi")
    published = "HandstandPushups/v_HandstandPushups_g01.avi"
    assert files_of("hmdb51", tmp_path, published).find(published) is None
    found = files_of("ucf101", tmp_path, published).find(published)
    assert found == tmp_path / "HandStandPushups/v_HandStandPushups_g01.avi"


def test_what_is_no_file_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "kick").mkdir()
    os.mkfifo(tmp_path / "kick" / "a.avi")
    assert files_of("hmdb51", tmp_path, "kick/a.avi").find("kick/a.avi") is None
