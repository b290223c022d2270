"""A lock between processes: an `flock` on a file, which the kernel gives back when its holder dies, however it dies.

Waiting costs no polling, and whether a lock is free can be asked without taking it.
"""

import fcntl
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self


class FileLock:
    """Holds a file's lock from `acquire` to `release`, or to the end of the process; as a context manager it waits."""

    _holders: ClassVar[dict[Path, tuple[int, int]]] = {}
    """Path to process and thread, of the locks that this process holds."""

    def __init__(self, file: Path) -> None:
        self._file = file.absolute()
        self._descriptor: int | None = None

    def acquire(self, wait: bool = False) -> bool:
        """Takes the lock; False when somebody else holds it (never with `wait`).

        Raises:
            RuntimeError: this very thread holds it already, and would wait for itself for ever.
            OSError: the file cannot be made.
        """
        # The process, too: a forked child inherits the table, but the locks in it are its parent's.
        this = os.getpid(), threading.get_ident()
        if wait and self._holders.get(self._file) == this:
            raise RuntimeError(f"{self._file}: this thread holds the lock already")
        self._file.parent.mkdir(parents=True, exist_ok=True)
        # A descriptor of its own for each holder: `flock` belongs to the open file, so two threads of a process exclude
        # each other as two processes do. (`lockf` would belong to the process, and be lost with any descriptor closed.)
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        # A signal may arrive while it waits; the descriptor must not stay open, with the lock perhaps just granted.
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._holders[self._file] = this
        return True

    def release(self) -> None:
        """Gives the lock back; the file stays, since removing it would let two holders lock two files."""
        # Forgotten first: another thread may take this object the moment that the kernel has the lock back.
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._holders.pop(self._file, None)
            # A child that was forked meanwhile has the descriptor too, and closing ours alone would leave it locked.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def __enter__(self) -> Self:
        self.acquire(wait=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_free(file: Path) -> bool:
    """Nobody holds the lock at this moment. Asking does not take it, so that two who ask do not see each other."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        # Shared, so that two who ask do not take each other for holders. A holder's `acquire` without wait that falls
        # into this moment fails, and its caller tries again later.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
