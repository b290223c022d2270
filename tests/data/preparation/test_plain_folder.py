"""A plain folder is transcoded once, its cache follows it, and its content has a version."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from support import faulty_videos
from support.official_trees import H264, write_video

from cdkd.data.home import cached_folders
from cdkd.data.manifest import DatasetError, Manifest, file_digest
from cdkd.data.opening import dataset_version, open_dataset
from cdkd.data.preparation import plain_folder
from cdkd.settings import DataSettings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def load_manifest(name: str, root: Path | str | None, **settings: Any) -> Manifest:
    return open_dataset(name, root=root, **settings).manifest


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """H.264 clips with long GOPs and B-frames, in two classes."""
    for label in ("run", "walk"):
        for index in range(5):
            write_video(tmp_path / "clips" / label / f"{index}.mp4", H264, seed=index, num_frames=20)
    return tmp_path / "clips"


def version(**settings: Any) -> str | None:
    return dataset_version(DataSettings.model_validate(settings))


def test_a_plain_folder_is_transcoded_once_into_the_cache(clips: Path, home: Path) -> None:
    shares: list[float] = []
    manifest = open_dataset("folder", shares.append, root=clips).manifest
    assert manifest.classes == ("run", "walk")
    assert manifest.num_videos_per_part == {"train": 6, "validation": 2, "test": 2}
    assert manifest.root.is_relative_to(home / "folder")
    assert manifest.settings["width"] == "320"
    assert shares == [fraction / 10 for fraction in range(1, 11)]
    times = [manifest.file(video).stat().st_mtime_ns for video in manifest.videos]
    assert load_manifest("folder", str(clips)) == manifest
    assert [manifest.file(video).stat().st_mtime_ns for video in manifest.videos] == times


def test_a_new_video_in_a_plain_folder_is_noticed(clips: Path) -> None:
    before = load_manifest("folder", clips)
    write_video(clips / "walk" / "new.mp4", H264, seed=50)
    after = load_manifest("folder", clips)
    assert len(after.videos) == len(before.videos) + 1
    assert after.version != before.version


def test_a_plain_folder_keeps_no_transcode_of_what_is_gone(
    clips: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = load_manifest("folder", clips)
    cache = before.root
    assert re.fullmatch(
        rf"{clips}: its videos were transcoded into {cache}, 0\.\d\d GB in all; CDKD_HOME names another place for them",
        caplog.messages[0],
    )
    assert cached_folders("folder") == {cache: str(clips)}
    caplog.clear()
    shutil.rmtree(clips / "run")
    for index in range(5):
        write_video(clips / "jump" / f"{index}.mp4", H264, seed=30 + index, num_frames=20)
    (clips / "walk" / "0.mp4").unlink()
    load_manifest("folder", clips)
    left = {path.relative_to(cache / "videos").as_posix() for path in (cache / "videos").rglob("*")}
    assert left == {"jump", "walk"} | {f"jump/{i}.mp4" for i in range(5)} | {f"walk/{i}.mp4" for i in range(1, 5)}
    load_manifest("folder", clips)
    assert len(caplog.messages) == 1  # said when something was transcoded, not at every start


def test_a_broken_video_in_a_plain_folder_needs_consent(clips: Path) -> None:
    faulty_videos.text(clips / "walk" / "bad.mp4")
    message = r"1 of 11 videos cannot be used, for example walk/bad.mp4: .*quarantine.csv; .*data.max_unreadable"
    with pytest.raises(DatasetError, match=message):
        load_manifest("folder", clips)
    assert len(load_manifest("folder", clips, max_unreadable=0.1).videos) == 10


def test_a_table_of_videos(clips: Path) -> None:
    rows = [f"{label}/{index}.mp4,{label},g{index}" for label in ("run", "walk") for index in range(5)]
    table = clips / "mine.csv"
    table.write_text("\n".join(["path,label,group", *rows]))
    manifest = load_manifest("folder", table)
    groups = {part: {v.group for v in manifest.part(part)} for part in ("train", "validation", "test")}  # type: ignore[arg-type]
    assert sorted(map(len, groups.values())) == [1, 1, 3]
    assert len(set.union(*groups.values())) == 5


def test_version_of_a_plain_folder_follows_its_files(clips: Path) -> None:
    def now() -> str | None:
        return version(name="folder", root=str(clips))

    before = now()
    assert before is not None and now() == before
    open_dataset(clips)
    assert now() == before  # whether or not it was transcoded
    os.utime(clips / "run" / "0.mp4", ns=(1, 1))  # another time, the same bytes
    assert now() == before
    kept = (clips / "run" / "0.mp4").read_bytes()
    write_video(clips / "run" / "0.mp4", H264, seed=70, num_frames=20)
    replaced = now()
    assert replaced != before
    (clips / "run" / "0.mp4").write_bytes(kept)
    assert now() == before
    (clips / "run").rename(clips / "stroll")
    renamed = now()
    assert renamed not in (before, replaced)
    (clips / "stroll" / "4.mp4").unlink()
    assert now() not in (before, renamed)
    (clips / "stroll" / "5.mp4").write_bytes(b"no video")
    changed = now()
    assert changed not in (before, renamed)
    os.mkfifo(clips / "stroll" / "6.mp4")
    assert now() not in (before, renamed, changed)


def test_version_of_a_plain_folder_reads_no_file_twice(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def note(path: Path) -> str:
        read.append(path.relative_to(clips).as_posix())
        return file_digest(path)

    monkeypatch.setattr(plain_folder, "file_digest", note)
    settings = DataSettings(name="folder", root=str(clips))
    before = dataset_version(settings)
    assert len(read) == 10
    write_video(clips / "walk" / "3.mp4", H264, seed=80, num_frames=20)
    assert dataset_version(settings) != before
    assert read[10:] == ["walk/3.mp4"]


def test_version_of_a_table_follows_its_rows(clips: Path) -> None:
    rows = [f"{label}/{index}.mp4,{label}" for label in ("run", "walk") for index in range(5)]
    table = clips / "mine.csv"
    table.write_text("\n".join(["path,label", *rows]))
    before = version(name="folder", root=str(table))
    table.write_text("\n".join(["path,label", *rows[:-1], "walk/4.mp4,run"]))
    assert version(name="folder", root=str(table)) not in (None, before)
