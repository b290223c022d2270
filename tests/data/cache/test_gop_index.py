"""GOP lengths are read once; a second start opens no video."""

import json
from pathlib import Path

import pytest
from support.prepared import prepared_folder, write_video

from cdkd.data.cache import gop_index
from cdkd.data.cache.gop_index import INDEX_NAME, GopLengths, index_gops
from cdkd.video.frames import VideoError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "home"))


def forbid_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} was opened")

    monkeypatch.setattr(gop_index, "describe", refuse)


def test_a_second_start_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = prepared_folder(tmp_path / "set", 2, 1, num_frames=19)
    paths = [video.path for video in manifest.videos]
    expected = [GopLengths((8, 8, 3), "")] * 3
    assert index_gops(manifest.root, paths) == expected
    forbid_opening(monkeypatch)
    again = index_gops(manifest.root, paths)
    assert again == expected
    assert again[0].lengths is again[1].lengths  # type: ignore[union-attr]


def test_a_changed_file_is_opened_again_and_a_broken_one_every_time(tmp_path: Path) -> None:
    manifest = prepared_folder(tmp_path / "set", 3, 1)
    first, second, third, _ = (video.path for video in manifest.videos)
    index_gops(manifest.root, [first, second, third])
    write_video(manifest.root / first, 11, seed=9)
    (manifest.root / second).write_bytes(b"no video")
    (manifest.root / third).unlink()
    for _ in range(2):
        changed, broken, gone = index_gops(manifest.root, [first, second, third])
        assert changed == GopLengths((8, 3), "")
        assert isinstance(broken, VideoError) and "cannot be opened as a video" in broken.reason
        assert isinstance(gone, VideoError) and gone.reason == "cannot be read: No such file or directory"


def test_entries_of_other_videos_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = prepared_folder(tmp_path / "set", 2, 1)
    paths = [video.path for video in manifest.videos]
    for path in paths:
        index_gops(manifest.root, [path])
    forbid_opening(monkeypatch)
    assert index_gops(manifest.root, paths) == [GopLengths((8, 8, 8), "")] * 3


def test_a_damaged_index_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    manifest = prepared_folder(tmp_path / "set", 1, 1)
    paths = [video.path for video in manifest.videos]
    (manifest.root / INDEX_NAME).write_text('{"format": 1, "vid')
    assert index_gops(manifest.root, paths) == [GopLengths((8, 8, 8), "")] * 2
    assert "the videos are opened again" in caplog.text
    assert len(json.loads((manifest.root / INDEX_NAME).read_text())["videos"]) == 2


def test_a_read_only_data_set_is_remembered_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = prepared_folder(tmp_path / "set", 1, 1)
    paths = [video.path for video in manifest.videos]
    write = gop_index.atomic_write

    def write_at_home(target: Path, text: str) -> None:
        if target.is_relative_to(manifest.root):
            raise PermissionError(13, "Permission denied")
        write(target, text)

    # A folder's mode would not stop tests that run as root.
    monkeypatch.setattr(gop_index, "atomic_write", write_at_home)
    index_gops(manifest.root, paths)
    forbid_opening(monkeypatch)
    assert index_gops(manifest.root, paths) == [GopLengths((8, 8, 8), "")] * 2
    assert not (manifest.root / INDEX_NAME).exists()


def test_many_videos_are_opened_by_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = prepared_folder(tmp_path / "set", 4, 1)
    paths = [video.path for video in manifest.videos]
    monkeypatch.setattr(gop_index, "_CHUNK", 2)
    assert index_gops(manifest.root, paths, num_workers=2) == [GopLengths((8, 8, 8), "")] * 5
