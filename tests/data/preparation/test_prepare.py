"""Preparing the four benchmark data sets and a folder, from real files in official layout."""

import csv
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import av
import pytest
from support.official_trees import H264, hmdb51_tree, kinetics400_tree, ssv2_tree, ucf101_tree, write_video

from cdkd.data.annotations.catalog import DATASETS
from cdkd.data.manifest import DatasetError, read_manifest, split_numbers
from cdkd.data.preparation.job_shards import JobShard
from cdkd.data.preparation.prepare import PrepareJob, PrepareReport, prepare
from cdkd.data.preparation.transcoding import TranscodeSettings, file_digest

SMALL = TranscodeSettings(width=80, height=64, gop_length=6, quantiser=8)


def job_of(name: str, source: Path, output: Path) -> PrepareJob:
    return PrepareJob(DATASETS[name], source, output, settings=SMALL)


def quarantine(output: Path) -> list[list[str]]:
    with open(output / "quarantine.csv", encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))[1:]


def rows(output: Path, split: int = 1) -> list[tuple[str, int, str, str]]:
    return [(v.path, v.label, v.group, v.part) for v in read_manifest(output, split).videos]


def counts(report: PrepareReport) -> tuple[int, int, int]:
    return report.num_transcoded, report.num_kept, len(report.result.failed)


def test_ucf101(tmp_path: Path) -> None:
    seen: list[tuple[int, int, int]] = []
    output = tmp_path / "out"
    report = prepare(job_of("ucf101", ucf101_tree(tmp_path / "in"), output), lambda *numbers: seen.append(numbers))
    assert counts(report) == (7, 0, 0)
    assert seen == [(done, 7, 0) for done in range(1, 8)]
    assert split_numbers(output) == (1, 2, 3)
    assert rows(output, 1) == [
        ("videos/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.mp4", 0, "ApplyEyeMakeup_g08", "train"),
        ("videos/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c02.mp4", 0, "ApplyEyeMakeup_g08", "train"),
        ("videos/ApplyEyeMakeup/v_ApplyEyeMakeup_g09_c01.mp4", 0, "ApplyEyeMakeup_g09", "train"),
        ("videos/HandstandPushups/v_HandStandPushups_g01_c01.mp4", 1, "HandstandPushups_g01", "test"),
        ("videos/HandstandPushups/v_HandStandPushups_g08_c01.mp4", 1, "HandstandPushups_g08", "train"),
        ("videos/YoYo/v_YoYo_g02_c04.mp4", 2, "YoYo_g02", "test"),
        ("videos/YoYo/v_YoYo_g25_c03.mp4", 2, "YoYo_g25", "train"),
    ]
    assert [row[3] for row in rows(output, 2)] == ["train", "train", "test", "train", "test", "train", "test"]
    assert quarantine(output) == []


def test_the_files_are_what_training_reads(tmp_path: Path) -> None:
    output = tmp_path / "out"
    prepare(job_of("ucf101", ucf101_tree(tmp_path / "in"), output))
    manifest = read_manifest(output)
    for video in manifest.videos:
        path = manifest.file(video)
        assert file_digest(path) == video.digest
        with av.open(str(path)) as container:
            context = container.streams.video[0].codec_context
            assert (context.name, context.width, context.height) == ("mpeg4", 80, 64)
            kinds = [int(frame.pict_type) for frame in container.decode(video=0)]
        assert kinds == [1, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 1, 2]  # GOPs of 6 I- and P-frames; 14 in all
    expected = {"width": "80", "height": "64", "gop_length": "6", "quantiser": "8", "codec": "mpeg4"}
    assert expected.items() <= manifest.settings.items()
    assert manifest.settings["listed_1"] == "train=5 test=2"


def test_hmdb51_with_odd_names(tmp_path: Path) -> None:
    output = tmp_path / "out [1] #ü"
    report = prepare(job_of("hmdb51", hmdb51_tree(tmp_path / "in [2] #ö"), output))
    assert counts(report) == (7, 0, 0)
    assert rows(output, 3) == [
        ("videos/brush_hair/#20_Rhythm_[clap]_brush_hair_h_cm_np2_fr_bad_0.mp4", 0, "#20_Rhythm_[clap]", "train"),
        ("videos/brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.mp4", 0, "April_09", "train"),
        ("videos/brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_1.mp4", 0, "April_09", "unused"),
        ("videos/kick/Ein_glück_&_mehr!_kick_f_cm_np1_le_med_3.mp4", 1, "Ein_glück_&_mehr!", "test"),
        ("videos/kick/untitled.mp4", 1, "", "train"),
        ("videos/kick_ball/Amazing_Soccer_#2_kick_ball_f_cm_np1_ba_bad_0.mp4", 2, "Amazing_Soccer_#2", "test"),
        ("videos/kick_ball/Amazing_Soccer_#2_kick_ball_f_cm_np1_ba_bad_1.mp4", 2, "Amazing_Soccer_#2", "train"),
    ]
    assert all((output / row[0]).is_file() for row in rows(output))


def test_kinetics400_lacks_videos_without_being_broken(tmp_path: Path) -> None:
    output = tmp_path / "out"
    report = prepare(job_of("kinetics400", kinetics400_tree(tmp_path / "in"), output))
    assert counts(report) == (6, 0, 0)
    assert report.is_acceptable
    assert quarantine(output) == [
        ["abseiling/gone_gone___000003_000013.mp4", "missing", "not in this copy"],
        ["passing_American_football_in_game/lost_lost___000020_000030.mp4", "missing", "not in this copy"],
    ]
    assert rows(output) == [
        ("videos/abseiling/0347ZoDXyP0_000095_000105.mp4", 0, "", "train"),
        ("videos/abseiling/3caPS4FHFF8_000036_000046.mp4", 0, "", "test"),
        ("videos/massaging_persons_head/-aBc_1-2_3x_000007_000017.mp4", 1, "", "train"),
        ("videos/massaging_persons_head/-abc_1-2_3x_000112_000122.mp4", 1, "", "train"),
        ("videos/massaging_persons_head/vvvvvvvvvvv_000000_000010.mp4", 1, "", "test"),
        ("videos/passing_American_football_in_game/kkk-_kkkkkk_000001_000011.mp4", 2, "", "train"),
    ]
    digests = {video.digest for video in read_manifest(output).videos}
    assert len(digests) == 6  # ids that differ in letter case are different videos


def test_ssv2_leaves_the_unlabelled_part_out(tmp_path: Path) -> None:
    output = tmp_path / "out"
    report = prepare(job_of("ssv2", ssv2_tree(tmp_path / "in", with_answers=False), output))
    assert counts(report) == (6, 0, 0)
    assert [(row[0], row[1], row[3]) for row in rows(output)] == [
        ("videos/100.mp4", 3, "test"),
        ("videos/220847.mp4", 2, "test"),
        ("videos/42.mp4", 0, "train"),
        ("videos/43.mp4", 0, "train"),
        ("videos/7.mp4", 1, "test"),
        ("videos/78687.mp4", 2, "train"),
    ]


def test_a_single_split_or_part(tmp_path: Path) -> None:
    job = job_of("ucf101", ucf101_tree(tmp_path / "in"), tmp_path / "out")
    prepare(replace(job, splits=(2,), parts=("test",)))
    assert [row[0][-11:] for row in rows(tmp_path / "out", 2)] == ["g09_c01.mp4", "g08_c01.mp4", "g25_c03.mp4"]
    with pytest.raises(DatasetError, match=r"data.split=1, but it was prepared with split 2 only"):
        read_manifest(tmp_path / "out", 1)
    with pytest.raises(DatasetError, match="--split 4: ucf101 has split 1, 2, 3 only"):
        prepare(replace(job, splits=(4,)))


def state(output: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_ino) for p in (output / "videos").rglob("*.mp4")}


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    job = job_of("ucf101", ucf101_tree(tmp_path / "in"), tmp_path / "out")
    first = prepare(job)
    before = state(job.output)
    second = prepare(job)
    assert counts(second) == (0, 7, 0)
    assert second.manifests == first.manifests
    assert state(job.output) == before


def test_only_what_changed_is_made_again(tmp_path: Path) -> None:
    source, output = ucf101_tree(tmp_path / "in"), tmp_path / "out"
    job = job_of("ucf101", source, output)
    prepare(job)
    before = state(output)
    eye, yoyo = source / "UCF-101/ApplyEyeMakeup", source / "UCF-101/YoYo"
    os.utime(eye / "v_ApplyEyeMakeup_g08_c01.avi", ns=(1, 1))  # another time, the same bytes
    write_video(eye / "v_ApplyEyeMakeup_g08_c02.avi", seed=99)
    (output / "videos/YoYo/v_YoYo_g25_c03.mp4").unlink()
    (yoyo / "v_YoYo_g02_c04.avi").unlink()  # prepared before, so no longer needed
    report = prepare(job)
    assert report.result.failed == {}
    changed = {Path(path).name for path, value in state(output).items() if before[path] != value}
    assert changed == {"v_ApplyEyeMakeup_g08_c02.mp4", "v_YoYo_g25_c03.mp4"}
    assert counts(prepare(job)) == (0, 7, 0)


def test_other_settings_make_everything_again(tmp_path: Path) -> None:
    job = job_of("ucf101", ucf101_tree(tmp_path / "in"), tmp_path / "out")
    first = prepare(job)
    second = prepare(replace(job, settings=replace(SMALL, quantiser=20)))
    assert counts(second) == (7, 0, 0)
    assert second.manifests[1].version != first.manifests[1].version


def test_shards_make_the_same_manifest(tmp_path: Path) -> None:
    source = ucf101_tree(tmp_path / "in")
    whole = prepare(job_of("ucf101", source, tmp_path / "whole"))
    job = job_of("ucf101", source, tmp_path / "sharded")
    done = [prepare(replace(job, shard=JobShard(index, 3))) for index in (3, 1, 2)]
    assert [counts(report)[0] for report in done] == [2, 3, 2]
    assert [report.shards_done for report in done] == [(3,), (1, 3), (1, 2, 3)]
    assert [bool(report.manifests) for report in done] == [False, False, True]
    for split in (1, 2, 3):
        assert read_manifest(job.output, split).version == whole.manifests[split].version
    # what shards made is known to a run without them
    assert counts(prepare(job)) == (0, 7, 0)


def test_shards_of_another_plan_are_not_merged(tmp_path: Path) -> None:
    job = job_of("ucf101", ucf101_tree(tmp_path / "in"), tmp_path / "out")
    prepare(replace(job, shard=JobShard(1, 2)))
    other = prepare(replace(job, shard=JobShard(2, 2), settings=replace(SMALL, quantiser=20)))
    assert other.shards_done == (2,)
    assert other.manifests == {}


def test_names_that_differ_in_suffix_stay_apart(tmp_path: Path) -> None:
    for name in ("walk/a.mp4", "walk/a.mkv", "walk/b.mkv", "run/c.mkv", "run/d.mkv"):
        write_video(tmp_path / "in" / name, H264)
    prepare(job_of("folder", tmp_path / "in", tmp_path / "out"))
    assert [row[0] for row in rows(tmp_path / "out")] == [
        "videos/run/c.mp4",
        "videos/run/d.mp4",
        "videos/walk/a.mkv.mp4",
        "videos/walk/a.mp4.mp4",
        "videos/walk/b.mp4",
    ]


def test_annotations_apart_from_the_videos(tmp_path: Path) -> None:
    source = ucf101_tree(tmp_path / "in")
    lists = shutil.move(source / "ucfTrainTestlist", tmp_path / "lists")
    job = job_of("ucf101", source, tmp_path / "out")
    with pytest.raises(DatasetError, match=r"no classInd.txt"):
        prepare(job)
    assert counts(prepare(replace(job, annotations=Path(lists)))) == (7, 0, 0)


def test_output_inside_the_source_is_refused(tmp_path: Path) -> None:
    source = ucf101_tree(tmp_path / "in")
    with pytest.raises(DatasetError, match="lies inside the source"):
        prepare(job_of("ucf101", source, source / "prepared"))


def test_a_wrong_source_is_named_and_leaves_an_old_manifest(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    source = ucf101_tree(tmp_path / "in")
    job = replace(job_of("ucf101", tmp_path / "empty", tmp_path / "out"), annotations=source / "ucfTrainTestlist")
    with pytest.raises(DatasetError, match=r"empty: none of the 7 listed videos is here, for example ApplyEyeMakeup/v"):
        prepare(job)
    assert not (tmp_path / "out" / "manifest.csv").exists()


def test_a_torn_journal_line_costs_one_video(tmp_path: Path) -> None:
    job = job_of("ucf101", ucf101_tree(tmp_path / "in"), tmp_path / "out")
    prepare(job)
    done_log = job.output / ".prepare" / "journal-shard-1-of-1.jsonl"
    text = done_log.read_bytes()
    done_log.write_bytes(text[:-20])
    assert counts(prepare(job)) == (1, 6, 0)
    lines = [json.loads(line) for line in done_log.read_bytes().splitlines() if line.endswith(b"}")]
    assert len({line["path"] for line in lines}) == 7
    assert counts(prepare(job)) == (0, 7, 0)
