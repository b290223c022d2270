"""Videos without labels: what `data.unlabelled` may name, what becomes of it, and what is refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.official_trees import H264, write_video
from support.prepared import prepared_folder
from support.videos import clip, moving_texture

from cdkd.data.home import cached_folders
from cdkd.data.manifest import DatasetError, Manifest, make_manifest, write_manifest
from cdkd.data.opening import open_dataset
from cdkd.data.unlabelled import check_unlabelled, open_unlabelled, unlabelled_version
from cdkd.settings import DataSettings

FEW = {f"{part}_clips_per_class": 1 for part in ("train", "validation", "test", "pretrain")}


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def shapes() -> Manifest:
    return open_dataset("shapes", shapes=FEW).manifest


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two videos of no class, in whatever folders."""
    clip(tmp_path / "archive" / "2019" / "may" / "a.mp4", moving_texture(26, 32, 48, seed=3))
    clip(tmp_path / "archive" / "b.mp4", moving_texture(26, 32, 48, seed=4))
    return tmp_path / "archive"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path) -> None:
    (tmp_path / "archive" / "2019" / "may").mkdir(parents=True)


def opened(place: object, labelled: Manifest) -> Manifest:
    return open_unlabelled(DataSettings(unlabelled=str(place)), labelled)


def test_the_labels_of_a_part_are_dropped_exactly(shapes: Manifest) -> None:
    videos = opened("pretrain", shapes).videos
    assert [video.path for video in videos] == [video.path for video in shapes.part("pretrain")]
    assert {(video.label, video.part) for video in videos} == {(-1, "unlabelled")}
    wrong = tuple(replace(v, label=(v.label + 5) % 12) if v.part == "pretrain" else v for v in shapes.videos)
    mislabelled = make_manifest(shapes.name, shapes.root, shapes.classes, wrong, shapes.settings)
    assert mislabelled.version != shapes.version
    assert opened("pretrain", mislabelled) == opened("pretrain", shapes)


def test_fewer_videos_are_some_of_more_of_all_classes_and_the_same_wherever_they_lie(
    shapes: Manifest, tmp_path: Path
) -> None:
    def chosen(number: int, labelled: Manifest = shapes) -> list[str]:
        settings = DataSettings(unlabelled="pretrain", unlabelled_videos=number)
        return [video.path for video in open_unlabelled(settings, labelled).videos]

    everything = [video.path for video in shapes.part("pretrain")]
    assert chosen(12) == everything and len(chosen(5)) == 5 and set(chosen(3)) < set(chosen(5)) < set(everything)
    # No beginning of the list, which goes class by class, and no more of one class than chance gives.
    assert chosen(5) != everything[:5]
    assert chosen(5, replace(shapes, root=tmp_path)) == chosen(5)
    # Another draw has videos of the same names, and other ones among its first five.
    redrawn = [replace(video, digest=f"other {video.digest}") for video in shapes.videos]
    assert chosen(5, make_manifest("shapes", tmp_path, shapes.classes, redrawn, {})) != chosen(5)
    with pytest.raises(DatasetError, match=r"data\.unlabelled_videos=13: data\.unlabelled=pretrain has 12; ask for f"):
        chosen(13)


def test_a_folder_without_classes_is_transcoded_once_and_known_by_its_content(archive: Path, shapes: Manifest) -> None:
    before = unlabelled_version(str(archive))
    found = opened(archive, shapes)
    assert [video.path for video in found.videos] == ["videos/2019/may/a.mp4", "videos/b.mp4"]
    assert (found.settings["width"], found.settings["gop_length"]) == ("320", "12")
    assert str(archive) in cached_folders("unlabelled").values() and not cached_folders("folder")
    assert opened(archive, shapes) == found
    moved = archive.rename(archive.with_name("moved"))
    assert unlabelled_version(str(moved)) == before
    clip(moved / "c.mp4", moving_texture(26, 32, 48, seed=5))
    assert unlabelled_version(str(moved)) != before
    assert unlabelled_version(str(archive)) is None


def test_a_list_of_videos_names_its_groups(archive: Path, shapes: Manifest) -> None:
    table = archive / "some.csv"
    table.write_text("path,label,group\nb.mp4,who cares,anna\n")
    assert [(v.path, v.label, v.group) for v in opened(table, shapes).videos] == [("videos/b.mp4", -1, "anna")]


def test_a_prepared_data_set_gives_what_may_be_trained_on(tmp_path: Path, shapes: Manifest) -> None:
    other = prepared_folder(tmp_path / "other", num_train=2, num_test=1)
    expected = [video.path for video in other.part("train")]
    for place in (tmp_path / "other", tmp_path / "other" / "manifest.csv"):
        assert [video.path for video in opened(place, shapes).videos] == expected
        assert unlabelled_version(str(place)) == other.version


def test_a_table_says_which_of_its_rows_have_no_label(tmp_path: Path) -> None:
    rows = ["path,label,group,split"]
    for index, row in enumerate(
        ("a,run,,train", "b,walk,,train", "c,run,,test", "d,walk,,validation", "e,,x,unlabelled")
    ):
        write_video(tmp_path / "set" / f"{row[0]}.mp4", H264, seed=index, num_frames=14)
        rows.append(row.replace(row[0], f"{row[0]}.mp4", 1))
    (tmp_path / "set" / "all.csv").write_text("\n".join(rows))
    dataset = open_dataset(tmp_path / "set", unlabelled="unlabelled")
    assert dataset.manifest.classes == ("run", "walk")
    assert dataset.metadata["num_unlabelled_videos"] == "1"
    assert [v.path for v in open_unlabelled(dataset.settings, dataset.manifest).videos] == ["videos/e.mp4"]
    # The whole folder as an archive holds what the run is measured on, under the bytes that it is transcoded to.
    with pytest.raises(
        DatasetError, match=r"videos/[cd]\.mp4 is videos/[cd]\.mp4 of the (test|validation) part.*learnt"
    ):
        opened(tmp_path / "set", dataset.manifest)
    (tmp_path / "set" / "all.csv").write_text("path,group\na.mp4,\n")
    with pytest.raises(
        DatasetError, match=r"data\.unlabelled=\S+: 1 of its videos are of the group 'x', which the test"
    ):
        opened("pretrain", _grouped(dataset.manifest))


def _grouped(manifest: Manifest) -> Manifest:
    """A training video and a test video of one group."""
    parts = {"unlabelled": "pretrain", "test": "test"}
    videos = [replace(v, group="x", label=0, part=parts[v.part]) for v in manifest.videos if v.part in parts]
    return make_manifest("folder", manifest.root, manifest.classes, videos, {})


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (
            "test",
            r"data\.unlabelled=test: what a run is measured on must not be learnt from; name one of train, pretrain",
        ),
        ("validation", r"data\.unlabelled=validation: what a run is measured on"),
        ("unused", r"data\.unlabelled=unused: shapes has no such part; it has train, validation, test, pretrain; name"),
        ("nowhere/archive", r"data\.unlabelled=nowhere/archive: not found; name a folder of videos, a CSV"),
    ],
)
def test_what_cannot_be_learnt_from_is_named_before_anything_is_made(
    place: str, message: str, shapes: Manifest
) -> None:
    with pytest.raises(DatasetError, match=message):
        opened(place, shapes)
    with pytest.raises(DatasetError, match=message):
        check_unlabelled(DataSettings.model_validate({"shapes": FEW, "unlabelled": place}))


def test_an_empty_folder_and_a_set_without_training_videos_are_refused(tmp_path: Path, shapes: Manifest) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"empty: holds no videos; expected is a folder of them, or a CSV with"):
        opened(tmp_path / "empty", shapes)
    write_manifest(tmp_path / "none", make_manifest("folder", tmp_path / "none", ("a", "b"), [], {}))
    with pytest.raises(DatasetError, match="none: has no videos of the parts train, pretrain, unlabelled"):
        opened(tmp_path / "none", shapes)


def test_groups_of_pictures_of_another_length_are_refused(tmp_path: Path, shapes: Manifest) -> None:
    other = prepared_folder(tmp_path / "other", num_train=1, num_test=0)
    write_manifest(tmp_path / "other", replace(other, settings={"gop_length": "30"}))
    message = r"its groups of pictures have 30 frames, those of the labelled videos 12; prepare it alike: .*--gop 12"
    with pytest.raises(DatasetError, match=message):
        opened(tmp_path / "other", shapes)


def test_a_copy_of_a_test_video_is_found_in_another_folder(tmp_path: Path, shapes: Manifest) -> None:
    other = prepared_folder(tmp_path / "other", num_train=2, num_test=0)
    measured = shapes.part("test")[3]
    stolen = replace(other.videos[1], digest=measured.digest)
    shutil.copyfile(shapes.file(measured), other.file(stolen))
    write_manifest(tmp_path / "other", make_manifest("folder", other.root, other.classes, [stolen], {}))
    with pytest.raises(DatasetError, match=rf"{stolen.path} is {measured.path} of the test part"):
        opened(tmp_path / "other", shapes)
