"""A thread that says again and again that this process still runs its trial."""

import threading
from collections.abc import Callable

from cdkd.sweep.queue.queue_storage import StorageError

_TRIES_PER_INTERVAL = 4
"""After a beat that failed, the next is tried so much sooner."""


class Heartbeat:
    """Beats until it is released, or told that the trial is not ours any more.

    Args:
        beat: writes one beat; False: the trial has been settled by others.
        interval_seconds: between two beats.
    """

    def __init__(self, beat: Callable[[], bool], interval_seconds: float) -> None:
        self._beat = beat
        self._interval_seconds = interval_seconds
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def keep_alive(self) -> None:
        """Starts to beat."""
        # A daemon: it must not keep a process alive whose main thread has died.
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Beats no more."""
        self._is_over.set()
        # Not waited for longer: it may sit in a connection that never answers.
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def _run(self) -> None:
        pause = self._interval_seconds
        while not self._is_over.wait(pause):
            pause = self._interval_seconds
            try:
                if not self._beat():
                    return
            except StorageError:
                # Outages shorter than the grace period go unnoticed.
                pause = self._interval_seconds / _TRIES_PER_INTERVAL
