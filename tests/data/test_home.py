"""The cache folder, and the record in it of prepared data sets."""

from pathlib import Path

import platformdirs
import pytest

from cdkd.data.home import cached_folders, cdkd_home, known_folders, remember
from cdkd.data.manifest import DatasetError, LabelledVideo, make_manifest, write_manifest


def test_the_environment_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "here"))
    assert cdkd_home() == tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CDKD_HOME", "~/there")
    assert cdkd_home() == tmp_path / "there"


def test_else_the_user_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDKD_HOME", "")
    assert cdkd_home() == Path(platformdirs.user_cache_dir("cdkd"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_latest_folder_comes_first(home: Path, tmp_path: Path) -> None:
    for name, place in (("ucf101", "a"), ("ssv2", "b"), ("ucf101", "c"), ("ucf101", "a")):
        remember(name, tmp_path / place)
    assert known_folders() == {"ssv2": (tmp_path / "b",), "ucf101": (tmp_path / "a", tmp_path / "c")}


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(
        DatasetError, match=r"datasets.json: cannot be written: Not a directory; CDKD_HOME names another"
    ):
        remember("ucf101", tmp_path)
    assert known_folders() == {}


def test_cached_folders_and_what_they_were_made_of(home: Path) -> None:
    for name in ("a-1", "b-2"):
        manifest = make_manifest("folder", home / "folder" / name, ("x",), [LabelledVideo("v.mp4", 0, "", "train")], {})
        write_manifest(manifest.root, manifest)
    (home / "folder" / "a-1" / "source.json").write_text('{"source": "/videos/a"}')
    (home / "folder" / "unfinished").mkdir()
    assert cached_folders("folder") == {home / "folder" / "a-1": "/videos/a", home / "folder" / "b-2": ""}
    assert cached_folders("shapes") == {}


def test_a_damaged_record_is_named(home: Path) -> None:
    home.mkdir()
    (home / "datasets.json").write_text("[]")
    with pytest.raises(DatasetError, match=r"datasets.json: cannot be read .*delete it"):
        known_folders()
