"""The attempts at a training outside of any sweep: one at a time, and each knows those before it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cdkd.atomic_write import atomic_write
from cdkd.experiment.inputs import RunError
from cdkd.file_lock import FileLock
from cdkd.tracking.tracker import Tracker


class Attempts:
    """The runs of the attempts at the training in one folder that have not ended well."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "attempts.json"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other process trains in the folder meanwhile; a process that dies does not stand in the way.

        Raises:
            RunError: another one does.
        """
        lock = FileLock(self._folder / "attempt.lock")
        if not lock.acquire():
            raise RunError(
                f"{self._folder}: another process is at this very training; wait for it, or change a setting"
            )
        try:
            yield
        finally:
            lock.release()

    def begin(self, tracker: Tracker) -> int:
        """Ends the runs that dead processes left open, as killed; returns the new attempt's number, from 1."""
        for run_id in self._runs():
            tracker.kill_if_open(run_id)
        return len(self._runs()) + 1

    def note(self, run_id: str) -> None:
        """The new attempt's run."""
        atomic_write(self._file, json.dumps([*self._runs(), run_id]))

    def end(self) -> None:
        """The training has ended: what comes next is a first attempt again."""
        self._file.unlink(missing_ok=True)

    def _runs(self) -> list[str]:
        runs: list[str] = json.loads(self._file.read_text()) if self._file.exists() else []
        return runs
