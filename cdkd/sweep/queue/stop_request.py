"""A request that all who work on a study end: kept where every sweep and worker looks for it.

    a file in the study's folder     whoever sees the folder, on other machines too; looked at twice a second
    the study's database             whoever shares that, in whatever folder; looked at every few seconds

No signal: that would reach none on other machines, and may reach a process that merely has the number of one that is
gone. A request means those who run when it is made; who starts later finds it there and goes on.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from json import dumps
from pathlib import Path
from uuid import uuid4

from cdkd.atomic_write import atomic_write
from cdkd.graceful_stop import forget_stop_request, request_stop
from cdkd.sweep.queue.queue_storage import QueueStorage, StorageError, open_storage
from cdkd.sweep.queue.study_folder import StudyFolder, read_if_whole

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_BETWEEN_QUESTIONS = 3.0
"""To a database, which hundreds of processes may ask."""
_SECONDS_TO_END = 1.0


@dataclass(frozen=True)
class StopRequest:
    """One request."""

    id: str
    is_immediate: bool
    """Without waiting for a checkpoint."""


def ask_to_stop(folder: StudyFolder, is_immediate: bool = False) -> StopRequest:
    """Asks all who work on a study now to end.

    Raises:
        StorageError: its database cannot be reached; those who see the folder are asked all the same.
    """
    request = StopRequest(uuid4().hex, is_immediate)
    # A folder that is not there has nobody at work in it.
    if folder.path.is_dir():
        atomic_write(_file(folder), dumps(asdict(request)) + "\n")
    if folder.storage is not None:
        open_storage(folder).ask_to_stop(asdict(request))
    return request


@contextmanager
def heeding_stop_requests(folder: StudyFolder) -> Iterator[None]:
    """A request that comes meanwhile becomes the process's own: `request_stop`, or SIGTERM where it is immediate."""
    forget_stop_request()
    is_over = threading.Event()
    places = [_Place(lambda: read_if_whole(_file(folder), StopRequest), _SECONDS_BETWEEN_LOOKS)]
    if folder.storage is not None:
        places.append(_Place(partial(_request_in, open_storage(folder)), _SECONDS_BETWEEN_QUESTIONS))
    known: set[str] = set()
    for place in places:
        place.pass_over(known)
    # Threads, as a process that trains in its main thread looks at nothing else for hours. Daemons, and not waited for
    # long, as a server that is away lets a question wait.
    threads = [threading.Thread(target=_watch, args=(place, known, is_over), daemon=True) for place in places]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join(_SECONDS_TO_END)
        forget_stop_request()


@dataclass
class _Place:
    """Where a request may be found."""

    read: Callable[[], StopRequest | None]
    seconds_between: float
    has_answered: bool = False

    def pass_over(self, known: set[str]) -> None:
        """What was asked before was asked of others."""
        with suppress(StorageError):
            request = self.read()
            known.update({request.id} if request is not None else ())
            self.has_answered = True


def _watch(place: _Place, known: set[str], is_over: threading.Event) -> None:
    while not is_over.wait(place.seconds_between):
        if not place.has_answered:
            place.pass_over(known)
            continue
        request = None
        with suppress(StorageError):
            request = place.read()
        if request is None or request.id in known or is_over.is_set():
            continue
        # The same request is at both places.
        known.add(request.id)
        request_stop()
        if request.is_immediate:
            os.kill(os.getpid(), signal.SIGTERM)


def _request_in(storage: QueueStorage) -> StopRequest | None:
    found = storage.stop_request()
    return None if found is None else StopRequest(str(found["id"]), bool(found["is_immediate"]))


def _file(folder: StudyFolder) -> Path:
    return folder.path / "stop.json"
