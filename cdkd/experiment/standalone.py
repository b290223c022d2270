"""One teacher or one student outside of any sweep: trained, tracked, its checkpoint put where it is wanted."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from cdkd.callbacks import Log
from cdkd.experiment.attempts import Attempts
from cdkd.experiment.identity import cell_identity, logged_settings, teacher_identity
from cdkd.experiment.inputs import RunError
from cdkd.experiment.outcome import Outcome
from cdkd.experiment.paths import teacher_folder
from cdkd.experiment.student import run_student
from cdkd.experiment.teacher import ensure_teacher
from cdkd.experiment.teacher_record import teacher_outcome
from cdkd.settings import RunConfig
from cdkd.tracking.logbook import Logbook, Metrics
from cdkd.tracking.tracker import RunStart, Tracker
from cdkd.train.processes import Processes

CHECKPOINT = "checkpoint"
"""Where a tracked run keeps its checkpoint."""


def train_teacher(
    config: RunConfig, output: Path, tracker: Tracker, study: str, tell: Log, processes: Processes
) -> Path:
    """The teacher's checkpoint at `output`; trained, or found where it was trained before.

    Args:
        experiment: `teacher` and `data` decide it.
        output: gets a copy of the checkpoint, its description beside it.
        tracker: gets the run, from the first process.
        study: the run's experiment in the tracker.
        tell: called with every epoch's metrics.
        processes: that train it together.

    Raises:
        RunError: `teacher.checkpoint` is set, so there is nothing to train.
    """
    if config.teacher.checkpoint is not None:
        raise RunError("teacher.checkpoint is set: there is no teacher to train; leave it out")
    settings = logged_settings(config)
    start = RunStart(
        role="teacher",
        study=study,
        stage="teachers",
        label=f"teacher {config.teacher.arch} ({config.teacher.backbone})",
        cell=teacher_identity(config),
        seed=config.teacher.seed,
        attempt=1,
        stage_digest="",
        settings={key: value for key, value in settings.items() if key.startswith(("teacher.", "data.", "runtime."))},
    )
    if not processes.is_main:
        ensure_teacher(config, _silent, lambda fraction: None, processes)
        return output
    with _tracked(tracker, start, teacher_folder(config), tell) as run:
        path = ensure_teacher(config, run.log, lambda fraction: None, processes)
        copy_checkpoint(path, output)
        run.finish(teacher_outcome(path))
    return output


def train_student(
    config: RunConfig, folder: Path, tracker: Tracker, study: str, tell: Log, processes: Processes
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
    )
    if not processes.is_main:
        return run_student(config, folder, _silent, lambda fraction: None, processes)
    attempts = Attempts(folder)
    with attempts.alone():
        start = replace(start, attempt=attempts.begin(tracker))
        with _tracked(tracker, start, folder, tell) as run:
            attempts.note(run.run_id)
            outcome = run_student(config, folder, run.log, lambda fraction: None, processes)
            run.finish(outcome)
        attempts.end()
    return outcome


def _silent(metrics: dict[str, float], epoch: int) -> None:
    """What processes other than the first log."""


def copy_checkpoint(source: Path, target: Path) -> None:
    """Copies a checkpoint and its description."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (source.suffix, ".json"):
        shutil.copyfile(source.with_suffix(suffix), target.with_suffix(suffix))


class _Run:
    """An open run, which the first process alone feeds."""

    def __init__(self, tracker: Tracker, run_id: str, book: Path, tell: Log) -> None:
        self._tracker, self.run_id, self._tell = tracker, run_id, tell
        self._book = book

    @cached_property
    def _logbook(self) -> Logbook:
        """Opened when it is needed: until then, another process may write it."""
        return Logbook(self._book, self._send)

    def _send(self, history: Sequence[tuple[int, Metrics]]) -> None:
        self._tracker.log(self.run_id, history)

    def log(self, metrics: dict[str, float], epoch: int) -> None:
        """One epoch's metrics."""
        self._logbook.log(metrics, epoch)
        self._tell(metrics, epoch)

    def finish(self, outcome: Outcome) -> None:
        """Keeps what came of it."""
        self._logbook.close(outcome.metrics)
        for name, file in outcome.artifacts.items():
            self._tracker.attach(self.run_id, file, name)
        self._tracker.close(self.run_id, outcome.status, outcome.metadata)


@contextmanager
def _tracked(tracker: Tracker, start: RunStart, folder: Path, tell: Log) -> Iterator[_Run]:
    """A run in the tracker; `folder` keeps its metrics for attempts after it."""
    tracker.prepare([start.stage])
    run_id = tracker.open(start)
    try:
        yield _Run(tracker, run_id, folder / "metrics.jsonl", tell)
    except Exception as error:
        tracker.close(run_id, "failed", error=f"{type(error).__name__}: {error}")
        raise
    except BaseException:
        tracker.kill_if_open(run_id)
        raise
    tracker.close_stage(start.stage, "finished")
