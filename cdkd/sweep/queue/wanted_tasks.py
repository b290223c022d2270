"""What a sweep wants run now: a file of task ids beside the queue, outside of which its workers take nothing.

The queue outlives a sweep, and may hold the waiting tasks of an earlier one that asked for more, or of rows that the
study has no longer. So each sweep writes down what it wants, in `sweeps/<process>-<time>.json`, and holds the lock of
the same name. Files of dead sweeps go when the next one begins: until then they say what was wanted last, to whoever
adds a worker.
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cdkd.atomic_write import atomic_write
from cdkd.file_lock import FileLock, is_free
from cdkd.sweep.queue.stage_cells import all_cells, resolve_stages, teacher_task
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, Trial, is_blocked
from cdkd.sweep.study.records import Study

_SECONDS_BETWEEN_LOOKS = 5.0


class WantedTasks:
    """The tasks that one living sweep wants."""

    def __init__(self, folder: StudyFolder) -> None:
        self._folder = folder.sweeps
        self.name = f"{os.getpid()}-{time.time_ns()}"
        """By which the sweep's workers find the file."""
        self._ids: frozenset[str] = frozenset()
        self._lock = FileLock(self._folder / f"{self.name}.lock")
        self._lock.acquire(wait=True)
        for file in self._folder.glob("*.lock"):
            if is_free(file):
                file.with_suffix(".json").unlink(missing_ok=True)
                file.unlink(missing_ok=True)

    def set(self, ids: Iterable[str]) -> None:
        """Replaces what is wanted."""
        self._ids = frozenset(ids)
        atomic_write(self._folder / f"{self.name}.json", json.dumps(sorted(self._ids)))

    def __call__(self, task: QueuedTask) -> bool:
        """The sweep wants this task."""
        return task.id in self._ids

    def close(self) -> None:
        """The sweep ends; what it wanted stays to be read."""
        self._lock.release()


def is_any_sweep_alive(folder: StudyFolder, besides: str = "") -> bool:
    """Some sweep of this folder is at work, besides the one of this name."""
    return any(file.stem != besides and not is_free(file) for file in folder.sweeps.glob("*.lock"))


def wanted_by(folder: StudyFolder, sweep: str | None) -> Callable[[QueuedTask], bool]:
    """Whether a task is wanted, asked anew each time.

    Args:
        folder: the study's.
        sweep: `WantedTasks.name` of one sweep; None: whatever any living one wants, or those did that ended last.
    """
    known: dict[Path, tuple[int, frozenset[str]]] = {}

    def is_wanted(task: QueuedTask) -> bool:
        files = [folder.sweeps / f"{sweep}.json"] if sweep else list(folder.sweeps.glob("*.json"))
        # Folders that no sweep of this version has seen have no such file.
        return not files or any(task.id in _ids(file, known) for file in files)

    return is_wanted


def _ids(file: Path, known: dict[Path, tuple[int, frozenset[str]]]) -> frozenset[str]:
    try:
        changed = file.stat().st_mtime_ns
        # Read when it has changed: a claim asks for each of perhaps thousands of tasks.
        if file not in known or known[file][0] != changed:
            known[file] = changed, frozenset(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return frozenset()
    return known[file][1]


class TasksOfStudy:
    """The tasks of a study as somebody's options narrow it, whatever else the queue holds.

    Args:
        study: so narrowed.
        folder: its; choices of stages and suggestions of searches that come later are taken in.
    """

    def __init__(self, study: Study, folder: StudyFolder) -> None:
        self._study = study
        self._folder = folder
        self._looked = -math.inf
        self._ids: frozenset[str] = frozenset()
        self._is_whole = False

    def _look(self) -> None:
        stages = resolve_stages(self._study, self._folder)
        cells = all_cells(stages)
        teachers = {task for cell in cells.values() if (task := teacher_task(cell)) is not None}
        self._ids = frozenset(cells) | teachers
        self._looked = time.monotonic()
        self._is_whole = len(stages) == len(self._study.stages) and not any(stage.search for stage in stages)

    def __call__(self, task: QueuedTask) -> bool:
        """The study has this task."""
        # Expanding a study may take a second: not for each of thousands of tasks that are none of its.
        if task.id not in self._ids and not self._is_whole and time.monotonic() - self._looked > _SECONDS_BETWEEN_LOOKS:
            self._look()
        return task.id in self._ids


def is_open(trial: Trial, trials: Mapping[str, Trial]) -> bool:
    """It runs, or will run without anybody's doing."""
    if trial.status == "waiting":
        return not is_blocked(trial.task, trials)
    return trial.status in ("running", "stale")
