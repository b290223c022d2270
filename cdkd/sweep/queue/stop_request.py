"""A request that all who work on a study end: a file in its folder, which every sweep and worker looks at.

A file and no signal: it reaches processes on other machines that share the folder, and none that merely has the number
of one that is gone. It means those who run when it is made; who starts later finds it there and goes on.
"""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from cdkd.atomic_write import atomic_write
from cdkd.graceful_stop import forget_stop_request, request_stop
from cdkd.sweep.queue.study_folder import StudyFolder, read_if_whole

_SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True)
class StopRequest:
    """One request."""

    id: str
    is_immediate: bool
    """Without waiting for a checkpoint."""


def ask_to_stop(folder: StudyFolder, is_immediate: bool = False) -> StopRequest:
    """Asks all who work on a study now to end."""
    request = StopRequest(uuid4().hex, is_immediate)
    atomic_write(_file(folder), json.dumps(asdict(request)) + "\n")
    return request


def read_stop_request(folder: StudyFolder) -> StopRequest | None:
    """The last request; None where nobody ever asked."""
    return read_if_whole(_file(folder), StopRequest)


@contextmanager
def heeding_stop_requests(folder: StudyFolder) -> Iterator[None]:
    """A request that comes meanwhile becomes the process's own: `request_stop`, or SIGTERM where it is immediate."""
    forget_stop_request()
    # What was asked before was asked of others.
    known, is_over = read_stop_request(folder), threading.Event()

    def watch() -> None:
        last = known
        while not is_over.wait(_SECONDS_BETWEEN_LOOKS):
            request = read_stop_request(folder)
            if request is not None and request != last:
                last = request
                request_stop()
                if request.is_immediate:
                    os.kill(os.getpid(), signal.SIGTERM)

    # A thread, as a process that trains in its main thread looks at nothing else for hours.
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        forget_stop_request()


def _file(folder: StudyFolder) -> Path:
    return folder.path / "stop.json"
