"""Broken videos are told with their reasons, and one whose decoding kills the process takes nobody with it."""

import csv
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import pytest
from support import faulty_videos
from support.official_trees import H264, write_video
from support.preparing import SMALL, files_below, good_folder, job_of

from cdkd.data.manifest import read_manifest
from cdkd.data.preparation.prepare import prepare
from cdkd.data.preparation.transcoding import (
    Failed,
    Finished,
    TranscodeTask,
    is_disk_full,
    transcode_all,
    transcode_one,
)


def test_a_killed_worker_fails_its_own_video_only(tmp_path: Path) -> None:
    # Whoever opens a pipe without a writer waits for ever: that worker is then killed, twice.
    os.mkfifo(tmp_path / "deadly.mp4")
    for index in range(3):
        write_video(tmp_path / f"{index}.mp4", H264, seed=index)
    names = ["0.mp4", "deadly.mp4", "1.mp4", "2.mp4"]
    (tmp_path / "out").mkdir()
    tasks = [(TranscodeTask(n, tmp_path / n, tmp_path / "out" / n, tmp_path / f"work-{n}"), None) for n in names]
    outcomes: list[Finished | Failed] = []
    runner = threading.Thread(target=lambda: outcomes.extend(transcode_all(tasks, SMALL, 1)))
    runner.start()
    killed: set[int] = set()
    end = time.monotonic() + 30
    while runner.is_alive():
        assert time.monotonic() < end, "waited too long"
        for pid in waiting_on_a_pipe() - killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        time.sleep(0.02)
    assert len(killed) == 2
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert failed == [Failed("deadly.mp4", f"{tmp_path}/deadly.mp4: decoding it killed the process")]
    assert sorted(outcome.path for outcome in outcomes) == sorted(names)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.mp4", "1.mp4", "2.mp4"]


def waiting_on_a_pipe() -> set[int]:
    """Children of this process that hang in opening a named pipe."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            place = (folder / "wchan").read_text()
        except OSError:
            continue
        if parent == os.getpid() and place in ("wait_for_partner", "fifo_open"):
            found.add(int(folder.name))
    return found


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may read everything, so root becomes somebody else for a while."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.fixture
def closed_task(tmp_path: Path) -> TranscodeTask:
    """A video that nobody may read; one that may be read was transcoded before, so that everything is imported."""
    task = TranscodeTask("a.mp4", write_video(tmp_path / "a.mp4", H264), tmp_path / "b.mp4", tmp_path / "work.mp4")
    assert isinstance(transcode_one(task, SMALL, None), Finished)
    task.target.unlink()
    task.source.chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return task


def test_an_unreadable_file_fails_with_its_reason(closed_task: TranscodeTask, nobody: None) -> None:
    outcome = transcode_one(closed_task, SMALL, None)
    assert outcome == Failed("a.mp4", f"[Errno 13] Permission denied: '{closed_task.source}'")


def test_disk_full_is_found_behind_other_errors() -> None:
    try:
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise ValueError("could not write") from error
    except ValueError as error:
        assert is_disk_full(error)
    assert not is_disk_full(OSError(13, "Permission denied"))
    assert not is_disk_full(None)


FAULTS = {
    "zero.mp4": (faulty_videos.zero_bytes, "empty|cannot be opened"),
    "text.mp4": (faulty_videos.text, "cannot be opened"),
    "audio.mp4": (faulty_videos.audio_only, "holds no video stream"),
    "one.mp4": (faulty_videos.one_frame, "only 1 of 1 frames can be decoded, 2 are the least"),
    "cut.avi": (faulty_videos.cut_avi, r"cut off: holds \d+ of 60 frames"),
    "cut.webm": (faulty_videos.cut_webm, r"cut off: ends after [01]\.\d of 2.4 seconds"),
    "cut.mp4": (faulty_videos.cut_mp4, "cannot be opened"),
}


@pytest.fixture(scope="module")
def all_faults(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with every fault, prepared with all of them accepted: (source, output)."""
    root = tmp_path_factory.mktemp("faults")
    source = good_folder(root / "in")
    for name, (make, _) in FAULTS.items():
        make(source / "walk" / name)
    report = prepare(replace(job_of("folder", source, root / "out"), max_broken=0.5))
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
    report = prepare(job_of("folder", source, tmp_path / "out"))
    assert report.result.failed == {}
    with av.open(str(tmp_path / "out" / "videos" / "walk" / "9.mp4")) as container:
        sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert len(sizes) in (39, 40)  # where two streams are joined FFmpeg may lose a frame
    assert set(sizes) == {(80, 64)}
