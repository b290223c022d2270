"""Who works on a study: a record per sweep and worker, under a lock that dies with its process."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cdkd.atomic_write import atomic_write
from cdkd.file_lock import FileLock, is_free
from cdkd.sweep.queue.study_folder import StudyFolder, read_if_whole


@dataclass(frozen=True)
class StudyProcess:
    """A sweep, or a worker that somebody started by hand; a sweep's own workers are told of by their cells."""

    kind: Literal["sweep", "worker"]
    host: str
    pid: int
    command: str
    """As typed, for a shell."""
    folder: str
    """Where it was typed."""
    tracking_uri: str
    started: str
    """UTC, ISO 8601."""


@contextmanager
def recorded(
    folder: StudyFolder, kind: Literal["sweep", "worker"], command: str, tracking_uri: str
) -> Iterator[StudyProcess]:
    """This process is among those of the study meanwhile."""
    process = StudyProcess(
        kind, socket.gethostname(), os.getpid(), command, str(Path.cwd()), tracking_uri,
        datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    file = _folder(folder) / f"{process.host}-{process.pid}.json"
    lock = FileLock(file.with_suffix(".lock"))
    # Held before the record is there, so that nobody takes it for a dead one's.
    lock.acquire(wait=True)
    try:
        text = json.dumps(asdict(process), indent=1) + "\n"
        atomic_write(file, text)
        if kind == "sweep":
            atomic_write(_last_sweep(folder), text)
        yield process
    finally:
        file.unlink(missing_ok=True)
        file.with_suffix(".lock").unlink(missing_ok=True)
        lock.release()


def live_processes(folder: StudyFolder) -> list[StudyProcess]:
    """Those that run now, the oldest first. What a killed one left is passed over."""
    found = [
        process
        for file in _folder(folder).glob("*.json")
        if not is_free(file.with_suffix(".lock")) and (process := read_if_whole(file, StudyProcess)) is not None
    ]
    return sorted(found, key=lambda process: (process.started, process.pid))


def last_sweep(folder: StudyFolder) -> StudyProcess | None:
    """The sweep of this study that began last, whether it runs or not; None where none was recorded."""
    return read_if_whole(_last_sweep(folder), StudyProcess)


def _folder(folder: StudyFolder) -> Path:
    return folder.path / "processes"


def _last_sweep(folder: StudyFolder) -> Path:
    return folder.path / "last_sweep.json"
