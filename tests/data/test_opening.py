"""Data sets are opened by name or by place, and their content has a version before anything is made of it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.official_trees import H264, kinetics400_tree, ucf101_tree, write_video

from cdkd.data.annotations.catalog import DATASETS
from cdkd.data.home import known_folders, remember
from cdkd.data.manifest import DatasetError, LabelledVideo, Manifest, make_manifest, read_manifest, write_manifest
from cdkd.data.opening import dataset_version, open_dataset
from cdkd.data.preparation.prepare import PrepareJob, prepare
from cdkd.data.preparation.transcoding import TranscodeSettings
from cdkd.settings import DataSettings

SMALL = TranscodeSettings(width=80, height=64, gop_length=6, quantiser=8)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def load_manifest(name: str, root: Path | str | None, **settings: Any) -> Manifest:
    return open_dataset(name, root=root, **settings).manifest


def prepared_ucf101(root: Path) -> Path:
    prepare(PrepareJob(DATASETS["ucf101"], ucf101_tree(root / "in"), root / "out", settings=SMALL))
    return root / "out"


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """H.264 clips with long GOPs and B-frames, in two classes."""
    for label in ("run", "walk"):
        for index in range(5):
            write_video(tmp_path / "clips" / label / f"{index}.mp4", H264, seed=index, num_frames=20)
    return tmp_path / "clips"


def test_validation_part_is_held_out_by_group(tmp_path: Path) -> None:
    root = prepared_ucf101(tmp_path)
    manifest = load_manifest("ucf101", root, validation_share=0.3)
    assert [v.path[-11:] for v in manifest.part("validation")] == ["g09_c01.mp4"]  # the smaller of the only two groups
    assert manifest.num_videos_per_part == {"train": 4, "validation": 1, "test": 2}
    assert manifest.version == read_manifest(root).version
    assert manifest.settings["validation_share"] == "0.3"
    assert load_manifest("ucf101", root, split=3).version == read_manifest(root, 3).version


def test_the_folder_must_hold_what_is_asked_for(tmp_path: Path) -> None:
    root = prepared_ucf101(tmp_path)
    with pytest.raises(DatasetError, match=r"holds ucf101, but data.name is hmdb51"):
        load_manifest("hmdb51", root)
    with pytest.raises(DatasetError, match="not found"):
        load_manifest("ucf101", tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"manifest.csv: not found; prepare the data set: cdkd data prepare"):
        load_manifest("ucf101", tmp_path)


def test_without_root_the_last_prepared_folder_is_found(tmp_path: Path, home: Path) -> None:
    with pytest.raises(DatasetError, match=r"data.root is not set and ucf101 was not prepared .*cdkd data prepare"):
        load_manifest("ucf101", None)
    root = prepared_ucf101(tmp_path)
    remember("ucf101", root)
    remember("ucf101", tmp_path / "gone")
    assert known_folders() == {"ucf101": (tmp_path / "gone", root)}
    assert load_manifest("ucf101", None).root == root


def test_a_prepared_folder_is_read_as_it_is(clips: Path, tmp_path: Path, home: Path) -> None:
    prepare(replace(PrepareJob(DATASETS["folder"], clips, tmp_path / "out"), settings=SMALL))
    assert load_manifest("folder", tmp_path / "out").settings["width"] == "80"
    assert not (home / "folder").exists()


def test_nothing_to_hold_out_is_an_error(tmp_path: Path) -> None:
    source = kinetics400_tree(tmp_path / "in")
    for name in ("-aBc_1-2_3x_000007_000017",):
        (source / "train/massaging_persons_head" / f"{name}.mp4").unlink()
    prepare(PrepareJob(DATASETS["kinetics400"], source, tmp_path / "out", settings=SMALL))
    with pytest.raises(DatasetError, match="no class has a second group or video"):
        load_manifest("kinetics400", tmp_path / "out")


def test_ways_to_name_a_data_set(clips: Path, tmp_path: Path) -> None:
    prepare(replace(PrepareJob(DATASETS["folder"], clips, tmp_path / "out"), settings=SMALL))
    by_settings = open_dataset(DataSettings(name="folder", root=str(tmp_path / "out")))
    assert open_dataset("folder", root=tmp_path / "out") == by_settings
    assert open_dataset(tmp_path / "out") == by_settings
    assert open_dataset(str(tmp_path / "out"), gops_per_clip=3).settings.gops_per_clip == 3
    assert open_dataset(prepared_ucf101(tmp_path / "ucf")).manifest.name == "ucf101"
    assert open_dataset(clips).manifest.settings["width"] == "320"  # a plain folder: transcoded as by default
    with pytest.raises(DatasetError, match=r"ucf102: neither a data set nor a folder; known data sets: shapes, ucf101"):
        open_dataset("ucf102")
    with pytest.raises(DatasetError, match="root and other settings go with a name"):
        open_dataset(by_settings.settings, root=clips)


def version(**settings: Any) -> str | None:
    return dataset_version(DataSettings.model_validate(settings))


def test_version_of_what_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert version(name="ucf101") is None
    assert version(name="ucf101", root=str(tmp_path / "empty")) is None
    assert version(name="folder", root=str(tmp_path / "nowhere")) is None
    assert version(name="folder") is None


def test_version_of_the_generated_set_is_known_beforehand_and_follows_its_generator(home: Path) -> None:
    assert version() == version(gops_per_clip=2) == "4bb9bc04d2873cf9"
    assert version(shapes={"seed": 1}) != version()
    assert version(shapes={"train_clips_per_class": 11}) != version()
    assert not home.exists()


def test_version_of_a_prepared_set_is_that_of_the_chosen_split(tmp_path: Path) -> None:
    root = prepared_ucf101(tmp_path)
    for split in (1, 3):
        assert version(name="ucf101", root=str(root), split=split) == read_manifest(root, split).version
    root.rename(tmp_path / "moved")
    assert version(name="ucf101", root=str(tmp_path / "moved"), split=3) == read_manifest(tmp_path / "moved", 3).version
    part = prepare(PrepareJob(DATASETS["ucf101"], tmp_path / "in", tmp_path / "out", splits=(2,), settings=SMALL))
    with pytest.raises(DatasetError, match=r"data.split=1, but it was prepared with split 2 only"):
        version(name="ucf101", root=str(part.output))


def test_versions_are_known_without_torch_and_at_once(tmp_path: Path) -> None:
    """The first line of a manifest of 100,000 rows says it all."""
    videos = [LabelledVideo(f"videos/{i:06d}.mp4", i % 9, "", "train", f"{i:016x}") for i in range(100_000)]
    write_manifest(tmp_path, make_manifest("folder", tmp_path, tuple("abcdefghi"), videos, {}))
    script = (
        "import sys, time; from cdkd.data.opening import dataset_version; from cdkd.settings import DataSettings; "
        f"start = time.perf_counter(); dataset_version(DataSettings(name='folder', root={str(tmp_path)!r})); "
        "print(time.perf_counter() - start < 0.2, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


@pytest.mark.parametrize("name", ["shapes", "folder"])
def test_a_cache_folder_that_cannot_be_written_is_named(
    name: str, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "file"))
    with pytest.raises(
        DatasetError, match=rf"{tmp_path}/file/{name}/.*: cannot be written: Not a directory; CDKD_HOME"
    ):
        open_dataset(name, root=clips)
    if name == "folder":
        assert dataset_version(DataSettings(name="folder", root=str(clips))) is not None  # which needs no cache
