"""What is written to a store, in order, by a thread of its own: whoever trains does not wait for the store.

    training:  log, log, log ...            settle
                 |    |    |                  |  waits until all before it is written
    thread:      write ... (away: tries again, tells once) ... write

A write may have reached the store although its answer was lost, and is then sent twice. So each of them must be one
that may be repeated: MLflow keeps one of two equal metrics of one moment, and `Tracker.open` finds a run by its token.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from cdkd.tracking.outage import outage_reason

Result = TypeVar("Result")
Tell = Callable[[str], None]

_MAX_SECONDS_BETWEEN_TRIES = 15.0


class StoreSender:
    """Carries out operations one after the other, each again and again while the store is away.

    Args:
        tell: called, from the thread, when the store is away and when it is back.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._operations: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._is_giving_up = threading.Event()
        self._thread: threading.Thread | None = None

    def submit(self, operation: Callable[[], Result]) -> "Future[Result]":
        """Carries an operation out after all before it."""
        future: Future[Result] = Future()
        self._operations.put((operation, future))
        if self._thread is None:
            # A daemon: a process that was asked to stop does not wait for a store that does not answer.
            self._thread = threading.Thread(target=self._run, name="store", daemon=True)
            self._thread.start()
        return future

    def give_up(self) -> None:
        """From now on an operation is tried once."""
        self._is_giving_up.set()

    def end(self) -> None:
        """The thread ends after what was submitted."""
        self._operations.put(None)

    def _run(self) -> None:
        while (entry := self._operations.get()) is not None:
            operation, future = entry
            try:
                future.set_result(self._persist(operation))
            except Exception as error:
                future.set_exception(error)

    def _persist(self, operation: Callable[[], Result]) -> Result:
        seconds, is_told = 0.5, False
        while True:
            try:
                result = operation()
            except Exception as error:
                reason = outage_reason(error)
                if reason is None or self._is_giving_up.is_set():
                    raise
                if not is_told:
                    self._tell(f"the tracking store is away ({reason}); what is to be written waits for it")
                    is_told = True
                self._is_giving_up.wait(seconds)
                seconds = min(2 * seconds, _MAX_SECONDS_BETWEEN_TRIES)
            else:
                if is_told:
                    self._tell("the tracking store is back")
                return result
