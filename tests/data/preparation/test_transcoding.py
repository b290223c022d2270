"""A video whose decoding kills the process takes nobody with it."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.official_trees import H264, write_video

from cdkd.data.preparation.transcoding import (
    Failed,
    Finished,
    TranscodeSettings,
    TranscodeTask,
    is_disk_full,
    transcode_all,
    transcode_one,
)

SMALL = TranscodeSettings(width=80, height=64, gop_length=6, quantiser=8)


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
