"""What studies leave behind that nobody needs any more; finished results are never among it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.study_processes import live_processes
from cdkd.sweep.queue.trial_queue import Trial, TrialQueue


@dataclass(frozen=True)
class Leftover:
    """A file or folder that may go."""

    path: Path
    what: str

    @property
    def num_bytes(self) -> int:
        """Its size; 0 where it is gone by now."""
        return disk_bytes(self.path)


def leftover_work(queue: TrialQueue) -> list[Leftover]:
    """Checkpoints of tasks that have their result, or that the queue does not know.

    What a failed or interrupted task would resume from stays.
    """
    latest = queue.latest()
    return [
        Leftover(folder, "checkpoints of a cell that is finished" if folder.name in latest else "of no known cell")
        for folder in _entries(queue.folder.path / "work")
        if folder.name not in latest or latest[folder.name].is_done
    ]


def leftover_traces(queue: TrialQueue) -> list[Leftover]:
    """What attempts that are over have left: tracebacks that a later result made moot, logs, torn journal lines."""
    folder, latest = queue.folder, queue.latest()
    found = [
        Leftover(file, "traceback of a cell that has finished since")
        for file in _entries(folder.path / "failures")
        if (trial := _trial_of(file, latest.values())) is not None and trial.is_done
    ]
    found += [Leftover(file, "torn end of a journal") for file in sorted(folder.path.glob("journal.torn-*"))]
    # While somebody is at work, nobody can tell whose log is whose; and a failure may be told in one.
    if not live_processes(folder) and not any(trial.status in ("running", "failed") for trial in latest.values()):
        found += [Leftover(file, "log of a worker that has ended") for file in _entries(folder.path / "logs")]
        found += [Leftover(file, "of a process that is gone") for file in _entries(folder.path / "processes")]
    return found


KINDS: dict[str, Callable[[TrialQueue], list[Leftover]]] = {"work": leftover_work, "traces": leftover_traces}


def leftovers(folder: StudyFolder, kind: str) -> list[Leftover]:
    """Those of one kind of a study, whose queue is only read."""
    return KINDS[kind](TrialQueue(folder, is_read_only=True))


def disk_bytes(path: Path) -> int:
    """The size of a file, or of all files in a folder."""
    return sum(file.lstat().st_size for file in _files(path))


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir() and not path.is_symlink():
        yield from (file for file in path.rglob("*") if file.is_symlink() or not file.is_dir())
    elif path.exists() or path.is_symlink():
        yield path


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _trial_of(file: Path, trials: Iterable[Trial]) -> Trial | None:
    """The task's last attempt, by the name of a traceback: <task>-<trial>.txt."""
    return next((trial for trial in trials if file.name.startswith(f"{trial.task.id}-")), None)
