"""Optuna's journal file under a lock that dies with its holder and mends what a dying writer left."""

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cdkd.file_lock import FileLock

if TYPE_CHECKING:
    from optuna.storages import JournalStorage


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
    """Cuts a last line without line end off a journal; returns where a copy of the torn file was kept.

    The caller holds the lock.
    """
    if not journal.exists() or not (size := journal.stat().st_size):
        return None
    with journal.open("r+b") as file:
        file.seek(size - 1)
        # The usual case: one byte is read per write, however long the journal has grown.
        if file.read(1) == b"\n":
            return None
        # Kept for whoever wants to know what was lost: at most the one write that its process never finished.
        copy = journal.with_suffix(f".torn-{time.time_ns()}")
        shutil.copyfile(journal, copy)
        file.seek(0)
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
        # On the disk before anything is appended behind it.
        os.fsync(file.fileno())
    return copy


def open_journal(journal: Path) -> "JournalStorage":
    """The storage behind a journal file, created when absent; imports Optuna (0.2 s) on first use."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    # Optuna would report each trial on standard error.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal.parent.mkdir(parents=True, exist_ok=True)
    # Taken once for what it does besides: a torn line must go before Optuna reads the journal for the first time.
    lock = JournalLock(journal)
    lock.acquire()
    lock.release()
    return JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))  # type: ignore[arg-type]
