"""Being asked to stop: a signal ends what is under way, but never in the middle of a write.

An exception that a signal raises inside a database transaction can leave its connection open with the lock held, and
the process then waits for itself. So work on the journal and the tracking store is shielded: a signal that comes
meanwhile takes effect right after.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# What asks a process to stop: a user (INT, or HUP where the terminal goes), an administrator or a scheduler that wants
# the machine back (TERM), and schedulers that say so some time before (USR1 and USR2, as Slurm's --signal).
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

DRAIN, STOP, LEAVE, READY = "drain\n", "stop\n", "leave\n", "ready\n"
"""What whoever holds a worker writes to its standard input: end when the task under way has, when its epoch has, or
when nothing is left to do; begin, where it was started early."""


class Interrupted(BaseException):
    """The process was asked to stop; no `Exception`, so that nothing on the way takes it for a failed run."""

    def __init__(self, number: int = signal.SIGTERM) -> None:
        super().__init__(number)
        self.number = number
        """Of the signal."""


class _State:
    depth = 0
    pending: int | None = None
    """The signal that waits for a shielded block to end."""
    is_over = False
    stopped_at: float | None = None
    """When the first signal came, on the monotonic clock."""


def catch_signals(*numbers: int) -> None:
    """From now on the first of these signals raises `Interrupted` in the main thread; later ones change nothing.

    A signal that the process was started to ignore, as under nohup, stays ignored.
    """
    _State.pending, _State.is_over, _State.stopped_at = None, False, None
    for number in numbers:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _handle)


def _handle(number: int, frame: FrameType | None) -> None:
    # After the first signal all others are ignored: what ends in good order must not be interrupted again.
    if not _State.is_over:
        _State.pending, _State.stopped_at = number, time.monotonic()
    if not _State.depth:
        raise_if_stopped()


def seconds_since_stop() -> float | None:
    """How long ago the process was asked to stop; None where it was not."""
    return None if _State.stopped_at is None else time.monotonic() - _State.stopped_at


def raise_if_stopped() -> None:
    """Raises `Interrupted` where a signal has come and was not heard yet; for who waits within a shielded block."""
    if _State.pending is not None:
        number, _State.pending, _State.is_over = _State.pending, None, True
        raise Interrupted(number)


@contextmanager
def shield() -> Iterator[None]:
    """Puts `Interrupted` off until the block is left."""
    # Counted, since shields stand inside one another: a tracked run guards each of its writes.
    _State.depth += 1
    try:
        yield
    finally:
        _State.depth -= 1
    # Only after the outermost block, and only where it ended without an error, which goes first.
    if not _State.depth:
        raise_if_stopped()
