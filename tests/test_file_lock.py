"""One holder at a time, and nobody who died."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cdkd.file_lock import FileLock, is_free

HOLD = (
    "import sys, time; from pathlib import Path; from cdkd.file_lock import FileLock; "
    "FileLock(Path(sys.argv[1])).acquire(); print('held', flush=True); time.sleep(60)"
)


def holder(file: Path) -> subprocess.Popen[str]:
    """A process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(file)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "lock"
    assert is_free(file)
    first, second = FileLock(file), FileLock(file)
    assert first.acquire()
    assert not second.acquire()
    assert not is_free(file)
    first.release()
    assert is_free(file)
    with second:
        assert not first.acquire()
    assert first.acquire()


def test_a_killed_holder_gives_the_lock_back(tmp_path: Path) -> None:
    process = holder(tmp_path / "lock")
    assert not FileLock(tmp_path / "lock").acquire()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert FileLock(tmp_path / "lock").acquire()


def test_who_waits_comes_next(tmp_path: Path) -> None:
    process = holder(tmp_path / "lock")
    threading.Timer(0.3, process.kill).start()
    began = time.monotonic()
    with FileLock(tmp_path / "lock"):
        assert 0.2 < time.monotonic() - began < 5
    process.wait()


def test_one_object_serves_several_threads(tmp_path: Path) -> None:
    lock, inside, most = FileLock(tmp_path / "lock"), [0], [0]

    def work() -> None:
        for _ in range(50):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert most == [1] and is_free(tmp_path / "lock")


def test_waiting_for_oneself_is_an_error_instead_of_for_ever(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    with lock:
        for other in (lock, FileLock(tmp_path / "lock")):
            with pytest.raises(RuntimeError, match="this thread holds the lock already"), other:
                pass
        assert not FileLock(tmp_path / "lock").acquire()  # and the first one still holds it
    assert is_free(tmp_path / "lock")


def test_a_child_forked_meanwhile_does_not_keep_it(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    try:
        lock.release()
        assert is_free(tmp_path / "lock")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
