"""One attempt at a task: opens its run, trains, records how it ended."""

import contextlib
import shutil
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cdkd.atomic_write import atomic_write
from cdkd.errors import CdkdError
from cdkd.experiment.identity import logged_settings
from cdkd.run_status import RunStatus
from cdkd.settings import RunConfig
from cdkd.sweep.display.progress import ProgressWriter
from cdkd.sweep.queue.study_folder import read_cell
from cdkd.sweep.queue.trial_queue import Claim, Trial, TrialQueue
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.workers.cell_runner import CellRunner
from cdkd.sweep.workers.interruption import Interrupted, shield
from cdkd.tracking.logbook import Logbook, Metrics, Send
from cdkd.tracking.tracker import RunStart, Tracker

TEACHERS_STAGE = "teachers"
"""Stage that the runs of teachers belong to."""


def run_claim(queue: TrialQueue, claim: Claim, tracker: Tracker, runner: CellRunner) -> None:
    """Runs a claimed trial to its end and settles it. A failure is recorded, not raised.

    Raises:
        Interrupted: the process was asked to stop; the trial stays open for stale-trial recovery.
    """
    trial = claim.trial
    run_id: str | None = None
    progress = ProgressWriter(queue.folder.progress(trial.number))
    work = queue.folder.work(trial.task.id)
    try:
        with shield():
            cell = read_cell(queue.folder, trial.task.id)
            run_id = tracker.open(_run_start(queue, trial, cell))
            queue.note(trial.number, run_id=run_id)
            _attach_configuration(tracker, run_id, cell.config)
        result = _train(work, trial, cell, _shielded_log(tracker, run_id), runner, progress)
        with shield():
            for name, file in result.artifacts.items():
                tracker.attach(run_id, file, name)
            # Noted before the run is closed: a process that dies in between leaves all that settling needs.
            value = float(result.metrics.get("validation_top1", 0.0))
            queue.note(trial.number, metrics=dict(result.metrics), status=result.status, value=value)
            tracker.close(run_id, result.status, result.metadata)
            queue.finish(trial.number, value)
            shutil.rmtree(work)
    except (Interrupted, KeyboardInterrupt):
        # Whatever of this fails is done later by stale-trial recovery.
        with contextlib.suppress(Exception):
            queue.note(trial.number, is_interrupted=True)
            if run_id is not None:
                tracker.kill_if_open(run_id)
        raise
    except Exception as error:
        with shield():
            _record_failure(queue, trial, tracker, run_id, error)
    finally:
        progress.clear()
        claim.lock.release()


def _shielded_log(tracker: Tracker, run_id: str) -> Send:
    def send(history: Sequence[tuple[int, Metrics]]) -> None:
        with shield():
            tracker.log(run_id, history)

    return send


@dataclass(frozen=True)
class _Result:
    status: RunStatus
    metrics: Mapping[str, float] = field(default_factory=dict)
    artifacts: Mapping[str, Path] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


def _train(work: Path, trial: Trial, cell: Cell, send: Send, runner: CellRunner, progress: ProgressWriter) -> _Result:
    work.mkdir(parents=True, exist_ok=True)
    book = Logbook(work / "metrics.jsonl", send)
    if trial.task.kind == "teacher":
        checkpoint = runner.ensure_teacher(cell.config, book.log, progress)
        taught = runner.teacher_outcome(checkpoint)
        book.close(taught.metrics)
        return _Result("finished", taught.metrics, metadata={**taught.metadata, "checkpoint": str(checkpoint)})
    outcome = runner.run(cell.config, work, book.log, progress)
    book.close(outcome.metrics)
    status: RunStatus = "diverged" if outcome.status == "diverged" else "finished"
    return _Result(status, outcome.metrics, outcome.artifacts, outcome.metadata)


def _run_start(queue: TrialQueue, trial: Trial, cell: Cell) -> RunStart:
    task = trial.task
    settings = logged_settings(cell.config)
    if task.kind == "teacher":
        # A teacher's run is described by what decides the teacher, not by the cell that happened to ask for it.
        settings = {key: value for key, value in settings.items() if key.startswith(("teacher.", "data.", "runtime."))}
        label, seed, labels = teacher_label(cell.config), cell.config.teacher.seed, {}
    else:
        if cell.id != task.id:
            raise CdkdError(f"{queue.folder.configuration(task.id)} is not cell {task.id}; run the sweep again")
        label, seed, labels = cell.label, cell.seed, dict(cell.labels)
    return RunStart(
        role=task.kind,
        study=queue.folder.path.name,
        stage=task.stage,
        label=label,
        cell=task.id,
        seed=seed,
        attempt=trial.attempt,
        stage_digest=task.stage_digest,
        settings=settings,
        labels=labels,
    )


def teacher_label(config: RunConfig) -> str:
    """How a teacher is called in lists."""
    return f"teacher {config.teacher.arch} ({config.teacher.backbone})"


def _attach_configuration(tracker: Tracker, run_id: str, config: RunConfig) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        values: dict[str, Any] = config.model_dump(mode="json")
        file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
        tracker.attach(run_id, file)


def _record_failure(queue: TrialQueue, trial: Trial, tracker: Tracker, run_id: str | None, error: Exception) -> None:
    file = queue.folder.traceback(trial.task.id, trial.number)
    summary = "".join(traceback.format_exception_only(error)).strip()
    atomic_write(file, traceback.format_exc())
    if run_id is not None:
        try:
            tracker.attach(run_id, file, "failure")
            tracker.close(run_id, "failed", error=summary)
        except Exception:
            # The store itself may be what failed; the cell's own error must not be lost over it.
            first = file.read_text(encoding="utf-8")
            atomic_write(file, f"{first}\nwhile recording it:\n{traceback.format_exc()}")
    queue.fail(trial.number, summary)
