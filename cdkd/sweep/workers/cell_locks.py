"""Cells that some study of this machine trains right now: waited for by the others, not trained twice.

Studies of one tracking store may hold equal cells, each in a queue of its own. Whoever trains one holds a lock by its
identity in `CDKD_HOME`, which the kernel frees when its process dies. Who takes it after another queue's worker looks
into the store first: the result may be there by now.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cdkd.data.home import cdkd_home
from cdkd.file_lock import FileLock, is_free
from cdkd.sweep.display.sweep_display import SweepDisplay
from cdkd.sweep.queue.study_folder import read_if_whole
from cdkd.sweep.queue.trial_queue import Trial


@dataclass(frozen=True)
class CellHolder:
    """Who trains a cell, or did so last."""

    study: str
    queue: str
    """See `attempt.queue_name`."""


@dataclass
class CellLock:
    """This process may train the cell."""

    lock: FileLock
    before: CellHolder | None
    """Who trained it last."""


class CellLocks:
    """The locks of a store's cells, as one queue's workers see them."""

    def __init__(self, tracking_uri: str, holder: CellHolder) -> None:
        store = hashlib.sha256(tracking_uri.encode()).hexdigest()[:12]
        self._folder = cdkd_home() / "cells" / store
        self._holder = holder

    def _file(self, cell: str) -> Path:
        return self._folder / f"{cell}.lock"

    def trained_by(self, cell: str) -> str | None:
        """The study that trains a cell from another queue now; None where none does."""
        file = self._file(cell)
        if is_free(file):
            return None
        holder = read_if_whole(file, CellHolder)
        return None if holder is None or holder.queue == self._holder.queue else holder.study

    def take(self, cell: str) -> CellLock | None:
        """The right to train a cell; None while another has it."""
        file = self._file(cell)
        lock = FileLock(file)
        if not lock.acquire():
            return None
        before = read_if_whole(file, CellHolder)
        # Not in one step: a reader that finds half of it takes it for nobody's, and asks again.
        file.write_text(json.dumps(vars(self._holder)), encoding="utf-8")
        return CellLock(lock, before)

    def is_others(self, holder: CellHolder | None) -> bool:
        """A worker of another queue."""
        return holder is not None and holder.queue != self._holder.queue


class Elsewhere:
    """Tells once of each waiting cell that another study trains."""

    def __init__(self, locks: CellLocks, display: SweepDisplay) -> None:
        self._locks = locks
        self._display = display
        self._told: set[str] = set()

    def look(self, trials: Sequence[Trial], label: Callable[[Trial], str]) -> None:
        """Looks at a sweep's trials."""
        for trial in trials:
            if trial.status == "waiting" and trial.task.kind == "cell" and trial.task.id not in self._told:
                study = self._locks.trained_by(trial.task.id)
                if study is not None:
                    self._told.add(trial.task.id)
                    self._display.log_event(f"waiting  {label(trial)}: study {study} is training it")
