"""Preparing the benchmark data sets and folders from real files, whatever is missing, full or at work beside it."""

import csv
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import pytest
from support import faulty_videos
from support.official_trees import H264, hmdb51_tree, kinetics400_tree, ssv2_tree, ucf101_tree, write_video
from support.preparing import SMALL, counts, good_folder, job_of, rows

from cdkd.data.annotations.catalog import DATASETS
from cdkd.data.manifest import DatasetError, file_digest, read_manifest, split_numbers
from cdkd.data.preparation.prepare import PrepareJob, prepare
from cdkd.data.preparation.transcoding import DiskFullError
from cdkd.file_lock import FileLock


def quarantine(output: Path) -> list[list[str]]:
    with open(output / "quarantine.csv", encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))[1:]


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


def test_a_missing_file_of_a_list_is_broken(tmp_path: Path) -> None:
    source = ucf101_tree(tmp_path / "in")
    (source / "UCF-101/YoYo/v_YoYo_g02_c04.avi").unlink()
    job = PrepareJob(DATASETS["ucf101"], source, tmp_path / "out", settings=SMALL, max_broken=0.5)
    assert prepare(job).result.failed == {"YoYo/v_YoYo_g02_c04.avi": f"not found below {source}"}


def test_no_other_file_stands_in_for_a_missing_one(tmp_path: Path) -> None:
    source = good_folder(tmp_path / "in")
    rows = [f"{label}/{index}.mp4,{label}" for label in ("run", "walk") for index in range(4)]
    write_video(source / "run" / "clip.mp4", H264, seed=60)
    (source / "mine.csv").write_text("\n".join(["path,label", *rows, "walk/clip.mp4,walk"]))
    report = prepare(replace(job_of("folder", source, tmp_path / "out"), max_broken=0.5))
    assert report.result.failed == {"walk/clip.mp4": f"not found below {source}"}
    assert not (tmp_path / "out" / "videos" / "walk" / "clip.mp4").exists()


def test_a_pipe_named_like_a_video_is_broken_and_nobody_waits_for_it(tmp_path: Path) -> None:
    source = good_folder(tmp_path / "in")
    os.mkfifo(source / "run" / "pipe.mp4")
    report = prepare(replace(job_of("folder", source, tmp_path / "out"), max_broken=0.5))
    assert report.result.failed == {"run/pipe.mp4": f"{source}/run/pipe.mp4: is no regular file"}


def test_too_many_broken_videos_leave_no_manifest_until_they_are_mended(tmp_path: Path) -> None:
    source = good_folder(tmp_path / "in")
    broken = faulty_videos.text(source / "run" / "9.mp4")
    job = replace(job_of("folder", source, tmp_path / "out"), max_broken=0.1)
    report = prepare(job)  # 1 of 9 is more than a tenth
    assert not report.is_acceptable
    assert report.manifests == {}
    assert not (tmp_path / "out" / "manifest.csv").exists()
    assert (tmp_path / "out" / "quarantine.csv").exists()
    write_video(broken, H264, seed=9)
    mended = prepare(job)
    assert (mended.num_transcoded, mended.num_kept, mended.is_acceptable) == (1, 8, True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("a small tmpfs cannot be mounted here: that needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_disk_full(tmp_path: Path, small_disk: Path) -> None:
    source = good_folder(tmp_path / "in", num_videos=20, num_frames=80)
    job = replace(job_of("folder", source, small_disk / "out"), settings=replace(SMALL, quantiser=1), num_workers=2)
    with pytest.raises(DiskFullError, match=r"no space left on the device; free some .* finished videos are kept"):
        prepare(job)
    left = [path for path in (small_disk / "out").rglob("*.mp4")]
    assert 0 < len(left) < 40
    for path in left:
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 80
    assert not (small_disk / "out" / "manifest.csv").exists()
    assert not list((small_disk / "out" / ".prepare").rglob("*.mp4"))

    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    report = prepare(job)
    assert report.num_kept + report.num_transcoded == 40
    assert report.num_kept >= len(left) - 8
    assert len(read_manifest(small_disk / "out").videos) == 40


def test_two_at_once_are_refused_or_wait(tmp_path: Path) -> None:
    job = job_of("folder", good_folder(tmp_path / "in"), tmp_path / "out")
    (job.output / ".prepare").mkdir(parents=True)
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with FileLock(job.output / ".prepare" / "shard-1-of-1.lock"):
            is_held.set()
            may_end.wait()

    other = threading.Thread(target=hold)
    other.start()
    is_held.wait()
    with pytest.raises(DatasetError, match=r"another preparation is writing to it; .*--shard I/N"):
        prepare(job)
    threading.Timer(0.3, may_end.set).start()
    assert prepare(replace(job, wait=True)).num_transcoded == 8
    assert may_end.is_set()
    other.join()
