"""Preparing survives broken files, full disks, kills and company."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import pytest
from support import faulty_videos
from support.official_trees import H264, ucf101_tree, write_video

from cdkd.data.annotations.catalog import DATASETS
from cdkd.data.manifest import DatasetError, read_manifest
from cdkd.data.preparation.job_shards import JobShard
from cdkd.data.preparation.prepare import PrepareJob, prepare
from cdkd.data.preparation.transcoding import DiskFullError, TranscodeSettings
from cdkd.file_lock import FileLock

SMALL = TranscodeSettings(width=80, height=64, gop_length=6, quantiser=8)

FAULTS = {
    "zero.mp4": (faulty_videos.zero_bytes, "empty|cannot be opened"),
    "text.mp4": (faulty_videos.text, "cannot be opened"),
    "audio.mp4": (faulty_videos.audio_only, "holds no video stream"),
    "one.mp4": (faulty_videos.one_frame, "only 1 of 1 frames can be decoded, 2 are the least"),
    "cut.avi": (faulty_videos.cut_avi, r"cut off: holds \d+ of 60 frames"),
    "cut.webm": (faulty_videos.cut_webm, r"cut off: ends after [01]\.\d of 2.4 seconds"),
    "cut.mp4": (faulty_videos.cut_mp4, "cannot be opened"),
}


def good_folder(root: Path, num_videos: int = 4, num_frames: int = 14) -> Path:
    """`num_videos` H.264 videos in each of two classes."""
    for label in ("run", "walk"):
        for index in range(num_videos):
            write_video(root / label / f"{index}.mp4", H264, seed=index, num_frames=num_frames)
    return root


def job_of(source: Path, output: Path) -> PrepareJob:
    return PrepareJob(DATASETS["folder"], source, output, settings=SMALL)


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def all_faults(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with every fault, prepared with all of them accepted: (source, output)."""
    root = tmp_path_factory.mktemp("faults")
    source = good_folder(root / "in")
    for name, (make, _) in FAULTS.items():
        make(source / "walk" / name)
    report = prepare(replace(job_of(source, root / "out"), max_broken=0.5))
    assert report.num_transcoded == 8
    return source, root / "out"


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_video_is_quarantined_with_its_reason(all_faults: tuple[Path, Path], name: str) -> None:
    source, output = all_faults
    with open(output / "quarantine.csv", newline="") as stream:
        entries = {entry["path"]: entry for entry in csv.DictReader(stream)}
    entry = entries[f"walk/{name}"]
    assert entry["kind"] == "broken"
    assert entry["reason"].startswith(f"{source}/walk/{name}: ")
    assert re.search(FAULTS[name][1], entry["reason"]), entry["reason"]


def test_only_good_videos_are_in_the_manifest_and_on_disk(all_faults: tuple[Path, Path]) -> None:
    expected = {f"videos/{label}/{index}.mp4" for label in ("run", "walk") for index in range(4)}
    assert {video.path for video in read_manifest(all_faults[1]).videos} == expected
    assert {path for path in files_below(all_faults[1]) if path.endswith(".mp4")} == expected


def test_frames_of_another_size_mid_stream_are_resized(tmp_path: Path) -> None:
    source = good_folder(tmp_path / "in")
    faulty_videos.size_change(source / "walk" / "9.ts")
    report = prepare(job_of(source, tmp_path / "out"))
    assert report.result.failed == {}
    with av.open(str(tmp_path / "out" / "videos" / "walk" / "9.mp4")) as container:
        sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert len(sizes) in (39, 40)  # where two streams are joined FFmpeg may lose a frame
    assert set(sizes) == {(80, 64)}


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
    report = prepare(replace(job_of(source, tmp_path / "out"), max_broken=0.5))
    assert report.result.failed == {"walk/clip.mp4": f"not found below {source}"}
    assert not (tmp_path / "out" / "videos" / "walk" / "clip.mp4").exists()


def test_a_pipe_named_like_a_video_is_broken_and_nobody_waits_for_it(tmp_path: Path) -> None:
    source = good_folder(tmp_path / "in")
    os.mkfifo(source / "run" / "pipe.mp4")
    report = prepare(replace(job_of(source, tmp_path / "out"), max_broken=0.5))
    assert report.result.failed == {"run/pipe.mp4": f"{source}/run/pipe.mp4: is no regular file"}


def test_too_many_broken_videos_leave_no_manifest_until_they_are_mended(tmp_path: Path) -> None:
    source = good_folder(tmp_path / "in")
    broken = faulty_videos.text(source / "run" / "9.mp4")
    job = replace(job_of(source, tmp_path / "out"), max_broken=0.1)
    report = prepare(job)  # 1 of 9 is more than a tenth
    assert not report.is_acceptable
    assert report.manifests == {}
    assert not (tmp_path / "out" / "manifest.csv").exists()
    assert (tmp_path / "out" / "quarantine.csv").exists()
    write_video(broken, H264, seed=9)
    mended = prepare(job)
    assert (mended.num_transcoded, mended.num_kept, mended.is_acceptable) == (1, 8, True)


PRELUDE = """
import sys
from dataclasses import replace
from pathlib import Path
from cdkd.data.annotations.catalog import DATASETS
from cdkd.data.preparation.prepare import PrepareJob, prepare
from cdkd.data.preparation.transcoding import TranscodeSettings
settings = TranscodeSettings(width=80, height=64, gop_length=6, quantiser=8)
job = PrepareJob(DATASETS["folder"], Path(sys.argv[1]), Path(sys.argv[2]), settings=settings)
if __name__ == "__main__":
    """


def environment() -> dict[str, str]:
    root = Path(__file__).resolve().parents[2]
    return {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}


def test_killed_and_run_again(tmp_path: Path) -> None:
    source, output = good_folder(tmp_path / "in", num_videos=60), tmp_path / "out"
    script = tmp_path / "script.py"
    script.write_text(PRELUDE + "prepare(replace(job, num_workers=2))")
    process = subprocess.Popen([sys.executable, str(script), str(source), str(output)], env=environment())
    try:
        wait_until(lambda: len(list((output / "videos").rglob("*.mp4"))) >= 10)
        children = children_of(process.pid)
        assert len(children) >= 2
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not any(is_alive(child) for child in children))
    finally:
        process.kill()
    left = files_below(output / "videos")
    assert 10 <= len(left) < 120
    for name in left:  # whatever bears a video's name is whole
        with av.open(str(output / "videos" / name)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 14
    assert not (output / "manifest.csv").exists()

    report = prepare(job_of(source, output))
    # At most the videos between a rename and the journal's line are made twice: one per worker and its queue.
    assert report.num_kept >= len(left) - 10
    assert report.num_kept + report.num_transcoded == 120
    expected = {"manifest.csv", "quarantine.csv"} | {video.path for video in read_manifest(output).videos}
    assert {path for path in files_below(output) if not path.startswith(".prepare/")} == expected
    assert not [path for path in files_below(output / ".prepare") if path.endswith(".mp4")]
    clean = prepare(job_of(source, tmp_path / "clean"))
    assert read_manifest(output).version == clean.manifests[1].version


def children_of(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(status.parent.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: object, seconds: float = 30.0) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


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
    job = replace(job_of(source, small_disk / "out"), settings=replace(SMALL, quantiser=1), num_workers=2)
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
    job = job_of(good_folder(tmp_path / "in"), tmp_path / "out")
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


def test_different_shardings_at_once_share_the_output(tmp_path: Path) -> None:
    source, output = good_folder(tmp_path / "in"), tmp_path / "out"
    jobs = [replace(job_of(source, output), shard=shard) for shard in (JobShard(1, 1), JobShard(1, 2), JobShard(2, 2))]
    failures: list[BaseException] = []

    def run(job: PrepareJob) -> None:
        try:
            prepare(job)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    clean = prepare(job_of(source, tmp_path / "clean"))
    assert read_manifest(output).version == clean.manifests[1].version
