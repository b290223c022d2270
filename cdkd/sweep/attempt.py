"""One attempt at a task: opens its run, trains, records how it ended."""

import contextlib
import importlib
import shutil
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import yaml

from cdkd.callbacks import Log
from cdkd.errors import CdkdError
from cdkd.settings import Experiment, flat_settings
from cdkd.sweep.board import Board, Claim, Trial
from cdkd.sweep.folder import read_cell
from cdkd.sweep.interruption import Interrupted, shield
from cdkd.sweep.progress import ProgressWriter
from cdkd.sweep.trial import Cell
from cdkd.tracking.logbook import Logbook, Metrics, Send
from cdkd.tracking.tracker import Ending, Opening, Tracker
from cdkd.whole_file import write_whole

ReportProgress = Callable[[float], None]

DEFAULT_EXPERIMENT = "cdkd.experiment"

TEACHERS_STAGE = "teachers"
"""Stage that the runs of teachers belong to."""


class Outcome(Protocol):
    """What a run returns."""

    @property
    def status(self) -> str:
        """finished or diverged."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Final metrics."""

    @property
    def artifacts(self) -> Mapping[str, Path]:
        """Name -> file to keep."""

    @property
    def facts(self) -> Mapping[str, str]:
        """Name -> what else is known."""


class ExperimentModule(Protocol):
    """What a sweep runs; `cdkd.experiment` is the real one."""

    def prepare_data(self, experiment: Experiment, progress: ReportProgress | None) -> None:
        """Makes the run's data set ready."""

    def has_teacher(self, experiment: Experiment) -> bool:
        """The teacher that the run needs is trained."""

    def ensure_teacher(self, experiment: Experiment, log: Log | None, progress: ReportProgress | None) -> Path:
        """Trains the teacher that the run needs, or finds it."""

    def teacher_outcome(self, checkpoint: Path) -> Outcome:
        """What is known of a teacher that was trained."""

    def run(self, experiment: Experiment, folder: Path, log: Log, progress: ReportProgress | None) -> Outcome:
        """Trains and tests."""


def load_experiment(module: str) -> ExperimentModule:
    """The module that a sweep runs, by its name."""
    return cast(ExperimentModule, importlib.import_module(module))


def run_claim(board: Board, claim: Claim, tracker: Tracker, module: str) -> None:
    """Runs a claimed trial to its end and settles it. A failure is recorded, not raised.

    Raises:
        Interrupted: the process was asked to stop; the trial stays open for the reaper.
    """
    trial = claim.trial
    run_id: str | None = None
    progress = ProgressWriter(board.folder.progress(trial.number))
    work = board.folder.work(trial.task.id)
    try:
        with shield():
            cell = read_cell(board.folder, trial.task.id)
            run_id = tracker.open(_opening(board, trial, cell))
            board.note(trial.number, run_id=run_id)
            _attach_configuration(tracker, run_id, cell.experiment)
        result = _train(work, trial, cell, _shielded_log(tracker, run_id), module, progress)
        with shield():
            for name, file in result.artifacts.items():
                tracker.attach(run_id, file, name)
            # Noted before the run is closed: a process that dies in between leaves all that settling needs.
            value = float(result.metrics.get("validation_top1", 0.0))
            board.note(trial.number, metrics=dict(result.metrics), ending=result.ending, value=value)
            tracker.close(run_id, result.ending, result.facts)
            board.finish(trial.number, value)
            shutil.rmtree(work)
    except (Interrupted, KeyboardInterrupt):
        # Whatever of this fails is done later by the reaper.
        with contextlib.suppress(Exception):
            board.note(trial.number, is_interrupted=True)
            if run_id is not None:
                tracker.kill_if_open(run_id)
        raise
    except Exception as error:
        with shield():
            _record_failure(board, trial, tracker, run_id, error)
    finally:
        progress.clear()
        claim.lease.release()


def _shielded_log(tracker: Tracker, run_id: str) -> Send:
    def send(history: Sequence[tuple[int, Metrics]]) -> None:
        with shield():
            tracker.log(run_id, history)

    return send


@dataclass(frozen=True)
class _Result:
    ending: Ending
    metrics: Mapping[str, float] = field(default_factory=dict)
    artifacts: Mapping[str, Path] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


def _train(work: Path, trial: Trial, cell: Cell, send: Send, module: str, progress: ProgressWriter) -> _Result:
    work.mkdir(parents=True, exist_ok=True)
    experiment = load_experiment(module)
    book = Logbook(work / "metrics.jsonl", send)
    if trial.task.kind == "teacher":
        checkpoint = experiment.ensure_teacher(cell.experiment, book.log, progress)
        taught = experiment.teacher_outcome(checkpoint)
        book.close(taught.metrics)
        return _Result("finished", taught.metrics, facts={**taught.facts, "checkpoint": str(checkpoint)})
    outcome = experiment.run(cell.experiment, work, book.log, progress)
    book.close(outcome.metrics)
    ending: Ending = "diverged" if outcome.status == "diverged" else "finished"
    return _Result(ending, outcome.metrics, outcome.artifacts, outcome.facts)


def _opening(board: Board, trial: Trial, cell: Cell) -> Opening:
    task = trial.task
    settings = flat_settings(cell.experiment)
    if task.kind == "teacher":
        # A teacher's run is described by what decides the teacher, not by the cell that happened to ask for it.
        settings = {key: value for key, value in settings.items() if key.startswith(("teacher.", "data.", "runtime."))}
        label, seed, labels = teacher_label(cell.experiment), cell.experiment.teacher.seed, {}
    else:
        if cell.id != task.id:
            raise CdkdError(f"{board.folder.configuration(task.id)} is not cell {task.id}; run the sweep again")
        label, seed, labels = cell.label, cell.seed, dict(cell.labels)
    return Opening(
        role=task.kind,
        study=board.folder.path.name,
        stage=task.stage,
        label=label,
        cell=task.id,
        seed=seed,
        attempt=trial.attempt,
        plan=task.plan,
        settings=settings,
        labels=labels,
    )


def teacher_label(experiment: Experiment) -> str:
    """How a teacher is called in lists."""
    return f"teacher {experiment.teacher.arch} ({experiment.teacher.backbone})"


def _attach_configuration(tracker: Tracker, run_id: str, experiment: Experiment) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        values: dict[str, Any] = experiment.model_dump(mode="json")
        file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
        tracker.attach(run_id, file)


def _record_failure(board: Board, trial: Trial, tracker: Tracker, run_id: str | None, error: Exception) -> None:
    file = board.folder.traceback(trial.task.id, trial.number)
    summary = "".join(traceback.format_exception_only(error)).strip()
    write_whole(file, traceback.format_exc())
    if run_id is not None:
        try:
            tracker.attach(run_id, file, "failure")
            tracker.close(run_id, "failed", error=summary)
        except Exception:
            # The store itself may be what failed; the cell's own error must not be lost over it.
            first = file.read_text(encoding="utf-8")
            write_whole(file, f"{first}\nwhile recording it:\n{traceback.format_exc()}")
    board.fail(trial.number, summary)
