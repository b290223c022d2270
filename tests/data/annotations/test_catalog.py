"""Data sets are opened by name; official metadata as the publishers state them."""

from dataclasses import replace
from pathlib import Path

import pytest
from support import faulty_videos
from support.official_trees import H264, kinetics400_tree, ucf101_tree, write_video

from cdkd.data.annotations.catalog import DATASETS, dataset_spec, default_views, flip_policy
from cdkd.data.manifest import DatasetError, read_manifest
from cdkd.data.opening import load_manifest
from cdkd.data.preparation.prepare import PrepareJob, prepare
from cdkd.data.preparation.transcoding import TranscodeSettings
from cdkd.data.prepared_roots import known_folders, remember

SMALL = TranscodeSettings(width=80, height=64, gop_length=6, quantiser=8)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


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


@pytest.mark.parametrize(("name", "total"), [("ucf101", 13_320), ("hmdb51", 6_766), ("ssv2", 220_847)])
def test_every_split_counts_all_videos(name: str, total: int) -> None:
    spec = dataset_spec(name)
    assert sorted(spec.counts) == list(spec.splits)
    assert {sum(counts.values()) for counts in spec.counts.values()} == {total}


def test_protocol_of_each_data_set() -> None:
    assert {name: default_views(name) for name in DATASETS} == {
        "ucf101": (10, 3),
        "hmdb51": (10, 3),
        "kinetics400": (10, 3),
        "ssv2": (2, 3),
        "folder": (1, 1),
    }
    assert flip_policy("ssv2") == ("swap", ((86, 87), (93, 94), (166, 167)))
    assert [flip_policy(name)[0] for name in ("ucf101", "hmdb51", "kinetics400", "folder")] == ["on", "on", "on", "off"]


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(DatasetError, match=r"ucf102: no such data set; known: ucf101, hmdb51, kinetics400, ssv2, fol"):
        dataset_spec("ucf102")


def test_validation_part_is_held_out_by_group(tmp_path: Path) -> None:
    root = prepared_ucf101(tmp_path)
    manifest = load_manifest("ucf101", root, 1, 0.3, seed=0)
    assert [v.path[-11:] for v in manifest.part("validation")] == ["g09_c01.mp4"]  # the smaller of the only two groups
    assert manifest.num_videos_per_part == {"train": 4, "validation": 1, "test": 2}
    assert manifest.version == read_manifest(root).version
    assert manifest.settings["validation_share"] == "0.3"
    assert load_manifest("ucf101", root, 3).version == read_manifest(root, 3).version


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


def test_a_damaged_record_is_named(home: Path) -> None:
    home.mkdir()
    (home / "datasets.json").write_text("[]")
    with pytest.raises(DatasetError, match=r"datasets.json: cannot be read .*delete it"):
        known_folders()


def test_a_plain_folder_is_transcoded_once_into_the_cache(clips: Path, home: Path) -> None:
    shares: list[float] = []
    manifest = load_manifest("folder", clips, progress=shares.append)
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
