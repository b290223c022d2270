"""The journal survives torn lines and dead writers."""

import multiprocessing
import os
import resource
import signal
import time
from pathlib import Path

import pytest
from support.sweeps import wait_until

from cdkd.file_lock import is_free
from cdkd.sweep.queue.storage import JournalLock, mend
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, TrialQueue


def board_of(folder: Path) -> TrialQueue:
    return TrialQueue(StudyFolder(folder))


def test_a_torn_last_line_is_cut_and_a_copy_kept(tmp_path: Path) -> None:
    queue = board_of(tmp_path)
    queue.enqueue([QueuedTask("one", "cell", "a"), QueuedTask("two", "cell", "a")])
    journal = queue.folder.journal
    whole = journal.read_bytes()
    with journal.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"x","stu')
    fresh = board_of(tmp_path)
    assert journal.read_bytes() == whole
    (copy,) = tmp_path.glob("journal.torn-*")
    assert copy.read_bytes() == b'{"op_code":4,"worker_id":"x","stu'
    assert [trial.task.id for trial in fresh.trials()] == ["one", "two"]


def test_a_line_torn_while_others_have_the_journal_open_is_cut_before_their_next(tmp_path: Path) -> None:
    queue = board_of(tmp_path)
    queue.enqueue([QueuedTask("one", "cell", "a")])
    with queue.folder.journal.open("ab") as file:
        file.write(b'{"op_code":')
    queue.enqueue([QueuedTask("two", "cell", "a")])
    assert [trial.task.id for trial in board_of(tmp_path).trials()] == ["one", "two"]
    assert [trial.task.id for trial in queue.trials()] == ["one", "two"]


def test_a_whole_journal_and_none_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "journal.log"
    assert mend(file) is None
    file.write_bytes(b"{}\n")
    assert mend(file) is None
    file.write_bytes(b"")
    assert mend(file) is None
    file.write_bytes(b"torn")
    copy = mend(file)
    assert copy is not None and copy.read_bytes() == b"torn"
    assert file.read_bytes() == b""


def _hold(file: Path, ready: Path) -> None:
    lock = JournalLock(file)
    lock.acquire()
    ready.touch()
    time.sleep(60)


def test_a_lock_whose_holder_was_killed_costs_no_time(tmp_path: Path) -> None:
    file, ready = tmp_path / "journal.log", tmp_path / "ready"
    process = multiprocessing.get_context("fork").Process(target=_hold, args=(file, ready))
    process.start()
    wait_until(ready.exists)
    assert not is_free(file.with_suffix(".lock"))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    began = time.monotonic()
    lock = JournalLock(file)
    lock.acquire()
    lock.release()
    assert time.monotonic() - began < 1.0


def test_a_torn_line_is_cut_where_there_is_no_room_for_a_copy(tmp_path: Path) -> None:
    journal = tmp_path / "journal.log"
    long = b'{"torn": "' + b"x" * 200_000
    journal.write_bytes(b"{}\n" + long)

    def cut() -> None:
        # No file may grow beyond this: to the process it looks like a full disk.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        assert mend(journal) is None

    process = multiprocessing.get_context("fork").Process(target=cut)
    process.start()
    process.join()
    assert process.exitcode == 0
    assert [file.name for file in tmp_path.iterdir()] == ["journal.log"]
    assert journal.read_bytes() == b"{}\n"


def test_a_full_disk_leaves_whole_lines_and_a_queue_that_goes_on(tmp_path: Path) -> None:
    queue, other = board_of(tmp_path), board_of(tmp_path)
    queue.enqueue([QueuedTask(name, "cell", "a") for name in ("one", "two")])
    claim = queue.claim()
    assert claim is not None
    number, journal = claim.trial.number, queue.folder.journal
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # From no room at all to room for most of the lines; some are cut in two.
    for room in (0, 50, 150, 300, 400, 500):
        resource.setrlimit(resource.RLIMIT_FSIZE, (journal.stat().st_size + room, hard))
        try:
            with pytest.raises(OSError, match="File too large"):
                queue.complete(number, 50.0, run_id="r" * 400, status="finished", metrics={"test/top1": 50.0})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert journal.read_bytes().endswith(b"\n")
        assert [trial.status for trial in queue.trials()] == ["running", "waiting"]
        assert [trial.status for trial in other.trials()] == ["running", "waiting"]
    queue.complete(number, 50.0, run_id="run", status="finished", metrics={"test/top1": 50.0})
    claim.lock.release()
    for one in (queue, other, board_of(tmp_path)):
        assert [trial.status for trial in one.trials()] == ["finished", "waiting"]
        assert one.latest()["one"].run_id == "run"
