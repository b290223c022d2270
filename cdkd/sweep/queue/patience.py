"""Waiting for a database server that is away, for as long as nobody asks the process to stop."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from cdkd.sweep.interruption import raise_if_stopped, seconds_since_stop
from cdkd.sweep.queue.queue_storage import PATIENCE_SECONDS, StorageError

Result = TypeVar("Result")

_LONGEST_PAUSE_SECONDS = 30.0
_LOOK_SECONDS = 0.1
_AFTER_STOP_SECONDS = 1.0
"""What all questions together may wait once the process was asked to stop: to leave in good order takes several."""

_logger = logging.getLogger(__name__)


def patiently(
    work: Callable[[], Result], away: tuple[type[Exception], ...], place: str, words: Callable[[Exception], str]
) -> Result:
    """Does something, again and again while the server is away; what it asks for must be safe to be asked again.

    Args:
        work: the question.
        away: what it raises where the server does not answer.
        place: the server, without password.
        words: of such an error, for users.

    Raises:
        StorageError: the server was away for `PATIENCE_SECONDS`, or the process was asked to stop meanwhile.
        Interrupted: the same, in the main thread and where the signal was not heard yet; shielded or not, since nothing
            is under way in a server that does not answer.
    """
    deadline, pause = time.monotonic() + PATIENCE_SECONDS, 1.0
    while True:
        try:
            return work()
        except away as error:
            text = words(error)
            if time.monotonic() + pause > deadline:
                raise StorageError(
                    f"{place} has been away for {PATIENCE_SECONDS:.0f} s ({text}); when it is back, the same command "
                    "goes on"
                ) from error
            _logger.warning("cdkd: %s does not answer (%s); trying again in %.0f s", place, text, pause)
            if not _wait(pause):
                if threading.current_thread() is threading.main_thread():
                    raise_if_stopped()
                raise StorageError(
                    f"{place} does not answer ({text}); when it is back, the same command goes on"
                ) from error
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


class _Waited:
    """How long this process has waited since it was asked to stop."""

    seconds = 0.0


def _wait(seconds: float) -> bool:
    """False: there is no time to wait for, since the process was asked to stop."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        is_stopped = seconds_since_stop() is not None
        if is_stopped and _Waited.seconds >= _AFTER_STOP_SECONDS:
            return False
        time.sleep(min(left, _LOOK_SECONDS))
        # Counted and no time of day: what takes long between two questions is no fault of the server's.
        _Waited.seconds = _Waited.seconds + _LOOK_SECONDS if is_stopped else 0.0
    return True
