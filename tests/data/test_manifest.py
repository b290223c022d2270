"""The manifest file keeps every row, and says so when it does not."""

import hashlib
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cdkd.data.manifest import (
    DatasetError,
    LabelledVideo,
    Manifest,
    make_manifest,
    read_manifest,
    split_numbers,
    write_manifest,
    write_splits,
)

VIDEOS = (
    LabelledVideo("videos/b #1 [x].mp4", 1, "film, two", "test", "00ff"),
    LabelledVideo('videos/a "q"\n.mp4', 0, "", "train", ""),
    LabelledVideo("videos/ü/\udcff.mp4", 1, "g", "validation", "12"),
    LabelledVideo("videos/unlabelled.mp4", -1, "", "unused", ""),
)


def small(root: Path, videos: tuple[LabelledVideo, ...] = VIDEOS) -> Manifest:
    return make_manifest("tiny", root, ("x", "y"), videos, {"gop_length": "12"})


def test_round_trip_with_odd_names(tmp_path: Path) -> None:
    manifest = small(tmp_path)
    assert write_manifest(tmp_path, manifest) == tmp_path / "manifest.csv"
    assert read_manifest(tmp_path) == manifest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.csv"]


def test_a_folder_may_move(tmp_path: Path) -> None:
    write_manifest(tmp_path / "old", small(tmp_path / "old"))
    (tmp_path / "old").rename(tmp_path / "new")
    manifest = read_manifest(tmp_path / "new")
    assert manifest.file(manifest.videos[1]) == tmp_path / "new" / "videos/b #1 [x].mp4"


def test_a_root_elsewhere_is_kept(tmp_path: Path) -> None:
    write_manifest(tmp_path / "cache", small(tmp_path / "far"))
    assert read_manifest(tmp_path / "cache").root == tmp_path / "far"


def test_version_is_the_hash_of_the_rows_in_order_of_path(tmp_path: Path) -> None:
    text = (
        '["x", "y"]'
        'videos/a "q"\n.mp4\x000\x00\x00train\x00\n'
        "videos/b #1 [x].mp4\x001\x00film, two\x00test\x0000ff\n"
        "videos/unlabelled.mp4\x00-1\x00\x00unused\x00\n"
        "videos/ü/\udcff.mp4\x001\x00g\x00validation\x0012\n"
    )
    expected = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    assert small(tmp_path).version == expected
    assert small(tmp_path / "elsewhere", VIDEOS[::-1]).version == expected


@pytest.mark.parametrize("change", [{"label": 0}, {"group": "g"}, {"part": "train"}, {"digest": "ff"}, {"path": "z"}])
def test_version_depends_on_every_field(tmp_path: Path, change: dict[str, object]) -> None:
    changed = (replace(VIDEOS[0], **change), *VIDEOS[1:])  # type: ignore[arg-type]
    assert small(tmp_path, changed).version != small(tmp_path).version


def test_parts(tmp_path: Path) -> None:
    manifest = small(tmp_path)
    assert manifest.part("test") == (VIDEOS[0],)
    assert manifest.part("pretrain") == ()
    assert manifest.num_videos_per_part == {"train": 1, "validation": 1, "test": 1, "unused": 1}
    with pytest.raises(DatasetError, match="tset: no such part; known: train, validation"):
        manifest.part("tset")  # type: ignore[arg-type]


def test_splits_share_one_file(tmp_path: Path) -> None:
    first = small(tmp_path)
    third = small(tmp_path, tuple(replace(video, part="unused") for video in VIDEOS))
    write_splits(tmp_path, {1: first, 3: third})
    assert split_numbers(tmp_path) == (1, 3)
    assert read_manifest(tmp_path, 1) == first
    assert read_manifest(tmp_path, split=3) == third
    with pytest.raises(DatasetError, match=r"data.split=2, but it was prepared with split 1, 3 only"):
        read_manifest(tmp_path, 2)


def test_splits_must_list_the_same_videos(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="do not list the same videos"):
        write_splits(tmp_path, {1: small(tmp_path), 2: small(tmp_path, VIDEOS[1:])})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (VIDEOS[0], "listed twice"),
        (LabelledVideo("c", 2, "", "train"), "c has label 2, but there are 2 classes"),
        (LabelledVideo("c", -1, "", "test"), "c has label -1"),
        (LabelledVideo("/c", 0, "", "test"), "does not lie below"),
        (LabelledVideo("a/../../c", 0, "", "test"), "does not lie below"),
    ],
)
def test_wrong_rows_are_refused(tmp_path: Path, row: LabelledVideo, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        small(tmp_path, (*VIDEOS, row))


def test_missing_manifest_names_file_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"manifest.csv: not found; .*cdkd data prepare NAME --source DIR --output"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("film, two", "film, too", "its rows are not those it was written with"),
        ('"12"', '"13"', None),
        (",12,validation", "", "a row is damaged"),
        ("# {", "path,label\n", "is no manifest of cdkd"),
        ('"format": 1', '"format": 7', "format 7, this version reads 1"),
    ],
)
def test_damage_is_noticed(tmp_path: Path, old: str, new: str, message: str | None) -> None:
    path = write_manifest(tmp_path, small(tmp_path))
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8", errors="surrogateescape")
    if message is None:  # settings are for information, not part of the rows
        assert read_manifest(tmp_path).settings == {"gop_length": "13"}
        return
    with pytest.raises(DatasetError, match=f"manifest.csv: {message}.*prepare"):
        read_manifest(tmp_path)


def test_a_cut_manifest_is_noticed(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, small(tmp_path))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(DatasetError, match="not those it was written with"):
        read_manifest(tmp_path)


def test_a_hundred_thousand_rows_load_in_two_seconds(tmp_path: Path) -> None:
    numbers = range(100_000)
    videos = [LabelledVideo(f"videos/c{i % 170}/{i}.mp4", i % 170, f"g{i // 5}", "train", "0" * 16) for i in numbers]
    manifest = make_manifest("large", tmp_path, [str(i) for i in range(170)], videos, {})
    write_splits(tmp_path, dict.fromkeys((1, 2, 3), manifest))
    start = time.process_time()
    loaded = read_manifest(tmp_path, 3)
    assert time.process_time() - start < 2.0
    assert loaded == manifest
