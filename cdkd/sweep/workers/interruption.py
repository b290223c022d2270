"""Being asked to stop: a signal ends what is under way, but never in the middle of a write.

An exception that a signal raises inside a database transaction can leave its connection open with the lock held, and
the process then waits for itself. So work on the journal and the tracking store is shielded: a signal that comes
meanwhile takes effect right after.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(BaseException):
    """The process was asked to stop; no `Exception`, so that nothing on the way takes it for a failed run."""


class _State:
    depth = 0
    is_pending = False
    is_over = False


def catch_signals(*numbers: int) -> None:
    """From now on the first of these signals raises `Interrupted` in the main thread; later ones change nothing.

    A signal that the process was started to ignore, as under nohup, stays ignored.
    """
    _State.is_pending = _State.is_over = False
    for number in numbers:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _handle)


def _handle(number: int, frame: FrameType | None) -> None:
    # After the first signal all others are ignored: what ends in good order must not be interrupted again.
    _State.is_pending = not _State.is_over
    if not _State.depth:
        _raise_if_pending()


def _raise_if_pending() -> None:
    if _State.is_pending:
        _State.is_pending, _State.is_over = False, True
        raise Interrupted


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
        _raise_if_pending()
