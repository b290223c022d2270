"""The embedded data set on disk: real video, made once, and gone on with where it was cut off."""

from pathlib import Path

import pytest

from cdkd.data.manifest import MANIFEST_NAME
from cdkd.data.shapes.settings import ShapesSettings
from cdkd.data.shapes.writing import prepare_shapes, shapes_folder
from cdkd.video.reader import VideoReader

TINY = ShapesSettings(
    frame_size=32,
    train_clips_per_class=2,
    validation_clips_per_class=1,
    test_clips_per_class=1,
    pretrain_clips_per_class=1,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def test_the_data_set_is_real_video_with_one_gop_and_no_shared_group(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDKD_HOME", str(home))
    manifest = prepare_shapes(TINY)
    assert manifest.num_videos_per_part == {"pretrain": 12, "train": 24, "validation": 12, "test": 12}
    groups = {part: {video.group for video in manifest.part(part)} for part in ("pretrain", "train", "test")}
    assert not groups["pretrain"] & groups["train"] and not groups["train"] & groups["test"]
    with VideoReader(manifest.file(manifest.part("train")[5])) as reader:
        assert (reader.info.codec, reader.info.gop_lengths, reader.info.has_b_frames) == ("mpeg4", (12,), False)


def test_a_generation_that_was_cut_off_goes_on_and_gives_the_same_version(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDKD_HOME", str(home))
    before = prepare_shapes(TINY)
    folder = shapes_folder(TINY)
    (folder / MANIFEST_NAME).unlink()
    before.file(before.part("test")[0]).unlink()
    kept = before.file(before.part("test")[1])
    written_at = kept.stat().st_mtime_ns
    assert prepare_shapes(TINY).version == before.version
    assert kept.stat().st_mtime_ns == written_at
