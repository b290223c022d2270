"""One teacher or one student outside of any sweep: trained, tracked, its checkpoint put where it is wanted."""

import json
import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cdkd.atomic_write import atomic_write
from cdkd.callbacks import Log, silent
from cdkd.experiment.description import teacher_outcome
from cdkd.experiment.identity import cell_identity, logged_settings, teacher_identity
from cdkd.experiment.inputs import RunError
from cdkd.experiment.paths import teacher_folder
from cdkd.experiment.student import run_student
from cdkd.experiment.teacher import ensure_teacher
from cdkd.file_lock import FileLock
from cdkd.settings import RunConfig
from cdkd.tracking.tracked_run import TrackedRun, teacher_start
from cdkd.tracking.tracker import Outcome, RunStart, Tracker
from cdkd.train.processes import Processes


def train_teacher(
    config: RunConfig,
    output: Path,
    tracker: Tracker,
    study: str,
    tell: Log,
    processes: Processes,
    recipe: str = "",
) -> Path:
    """The teacher's checkpoint at `output`; trained, or found where it was trained before.

    Args:
        config: `teacher` and `data` decide it.
        output: gets a copy of the checkpoint, its description beside it.
        tracker: gets the run, from the first process.
        study: the run's experiment in the tracker.
        tell: called with every epoch's metrics.
        processes: that train it together.
        recipe: name of the recipe that the settings stand on.

    Raises:
        RunError: `teacher.checkpoint` is set, so there is nothing to train.
    """
    if config.teacher.checkpoint is not None:
        raise RunError("teacher.checkpoint is set: there is no teacher to train; leave it out")
    # Only the first process tracks; the others train with it and leave nothing behind.
    if not processes.is_main:
        ensure_teacher(config, _silent, silent, processes)
        return output
    start = teacher_start(config, logged_settings(config), study, teacher_identity(config), recipe=recipe)
    with _tracked(tracker, start, config, teacher_folder(config)) as run:
        path = ensure_teacher(config, _both(run.log, tell), silent, processes)
        copy_checkpoint(path, output)
        outcome = teacher_outcome(path)
        run.keep(outcome)
        run.close(outcome)
    return output


def train_student(
    config: RunConfig,
    folder: Path,
    tracker: Tracker,
    study: str,
    tell: Log,
    processes: Processes,
    recipe: str = "",
) -> Outcome:
    """Trains and tests one student; goes on from `folder` where it was interrupted.

    The run then shows the epochs of the attempts before it, too, and those that were killed are marked so.

    Raises:
        RunError: another process is at it.
    """
    start = RunStart(
        role="cell",
        study=study,
        stage="students",
        label=f"student {config.student.arch} ({config.student.streams})",
        cell=cell_identity(config),
        seed=config.seed,
        attempt=1,
        stage_digest="",
        settings=logged_settings(config),
        recipe=recipe,
    )
    if not processes.is_main:
        return run_student(config, folder, _silent, silent, processes)
    attempts = Attempts(folder)
    # 1. Under the lock the runs in `attempts.json` belong to the dead: they are ended as killed.
    with attempts.alone():
        start = replace(start, attempt=attempts.begin(tracker))
        with _tracked(tracker, start, config, folder) as run:
            # 2. Noted before anything is trained, so that the next attempt can end it.
            attempts.note(run.id)
            outcome = run_student(config, folder, _both(run.log, tell), silent, processes)
            run.keep(outcome)
            run.close(outcome)
        # 3. After the run is closed: killed in between, the next attempt finds it ended and counts one too many.
        attempts.end()
    return outcome


def _silent(metrics: dict[str, float], epoch: int) -> None:
    """What processes other than the first log."""


def _both(first: Log, second: Log) -> Log:
    def log(metrics: dict[str, float], epoch: int) -> None:
        first(metrics, epoch)
        second(metrics, epoch)

    return log


def copy_checkpoint(source: Path, target: Path) -> None:
    """Copies a checkpoint and its description."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (source.suffix, ".json"):
        shutil.copyfile(source.with_suffix(suffix), target.with_suffix(suffix))


@contextmanager
def _tracked(tracker: Tracker, start: RunStart, config: RunConfig, folder: Path) -> Iterator[TrackedRun]:
    """A run in the tracker; `folder` keeps its metrics for attempts after it, and the traceback of one that failed."""
    tracker.prepare([start.stage])
    run = TrackedRun(tracker, start, folder / "metrics.jsonl")
    try:
        run.attach_configuration(config)
        yield run
    except Exception as error:
        report = folder / "traceback.txt"
        report.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(report, traceback.format_exc())
        run.fail(error, report)
        raise
    except BaseException:
        run.kill()
        raise
    tracker.close_stage(start.stage, "finished")


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
