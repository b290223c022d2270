"""Optuna's journal file under a lock that dies with its holder and mends what a dying writer left."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cdkd.errors import CdkdError
from cdkd.file_lock import FileLock

if TYPE_CHECKING:
    from optuna.storages import JournalStorage

_BYTES_PER_READ = 1 << 16


class JournalLock:
    """The lock that a writer of the journal holds.

    Optuna's own lock files survive a killed process and cost the others 30 s each. And a line cut short by a full
    disk or a power failure makes every later load fail once another line has been written behind it, so it must go
    before anything is appended: here, under the lock.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._lock = FileLock(journal.with_suffix(".lock"))

    def acquire(self) -> bool:
        """Waits for the lock; then cuts a torn last line off the journal."""
        self._lock.acquire(wait=True)
        mend(self._journal)
        return True

    def release(self) -> None:
        """Gives the lock back."""
        self._lock.release()


def mend(journal: Path) -> Path | None:
    """Cuts a last line without line end off a journal; returns where what was cut is kept, None where nothing is.

    The caller holds the lock.
    """
    if not journal.exists() or not (size := journal.stat().st_size):
        return None
    with journal.open("r+b") as file:
        file.seek(size - 1)
        # The usual case: one byte is read per write, however long the journal has grown.
        if file.read(1) == b"\n":
            return None
        tail = _unfinished_line(file, size)
        # Cut before the copy is made: where a full disk has torn the line, there may be no room for a copy.
        file.truncate(size - len(tail))
        # On the disk before anything is appended behind it.
        os.fsync(file.fileno())
    # Kept for whoever wants to know what was lost: at most the one write that its process never finished.
    copy = journal.with_suffix(f".torn-{time.time_ns()}")
    try:
        copy.write_bytes(tail)
    except OSError:
        copy.unlink(missing_ok=True)
        return None
    return copy


def _unfinished_line(file: BinaryIO, size: int) -> bytes:
    """What stands behind the last line end, read backwards, since a journal may be long and a line is not."""
    tail, start = b"", size
    while start and b"\n" not in tail:
        length = min(_BYTES_PER_READ, start)
        start -= length
        file.seek(start)
        tail = file.read(length) + tail
    return tail[tail.rfind(b"\n") + 1 :]


def require_journal(journal: Path) -> None:
    """Raises where there is no such file.

    Raises:
        CdkdError: nothing of the study has run in its folder.
    """
    if not journal.exists():
        raise CdkdError(f"{journal}: no such journal; nothing of this study has run in this folder")


def open_journal(journal: Path) -> "JournalStorage":
    """The storage behind a journal file, created when absent; imports Optuna (0.2 s) on first use."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    _silence()
    journal.parent.mkdir(parents=True, exist_ok=True)
    # Taken once for what it does besides: a torn line must go before Optuna reads the journal for the first time.
    lock = JournalLock(journal)
    lock.acquire()
    lock.release()
    return JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))  # type: ignore[arg-type]


def optuna_study_name(study: str, stage: str) -> str:
    """The Optuna study of a stage."""
    return f"{study}.{stage}"


def _silence() -> None:
    import optuna

    # Optuna would report each trial on standard error.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
