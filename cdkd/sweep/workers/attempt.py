"""One attempt at a task: opens its run, trains, records how it ended."""

import contextlib
import logging
import os
import shutil
import socket
import traceback
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from cdkd.atomic_write import atomic_write
from cdkd.callbacks import Log
from cdkd.errors import CdkdError
from cdkd.experiment.identity import logged_settings
from cdkd.graceful_stop import StoppedAtCheckpoint
from cdkd.metric_names import TRAIN_LOSS, VALIDATION_TOP1, current_name
from cdkd.sweep.display.progress import ProgressWriter
from cdkd.sweep.interruption import Interrupted, shield
from cdkd.sweep.queue.queue_storage import TrialTakenError
from cdkd.sweep.queue.stale_trials import put_back
from cdkd.sweep.queue.trial_queue import Claim, Trial, TrialQueue
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.workers.cell_runner import CellRunner
from cdkd.sweep.workers.distant_teachers import take_distant_teacher
from cdkd.sweep.workers.machine_errors import machine_reason
from cdkd.sweep.workers.validation_reports import ValidationReports, until_pruned
from cdkd.tracking.store_sender import Tell
from cdkd.tracking.tracked_run import TrackedRun, error_text, teacher_start
from cdkd.tracking.tracker import Outcome, RunStart, Tracker

logger = logging.getLogger(__name__)


def run_claim(
    queue: TrialQueue, claim: Claim, tracker: Tracker, runner: CellRunner, tell: Tell = logger.warning
) -> str | None:
    """Runs a claimed trial to its end and settles it. A failure is recorded, not raised.

    Args:
        queue: the trial's.
        claim: what is run.
        tracker: where it is tracked; called from a thread of the run's own.
        runner: trains.
        tell: called when the tracking store is away and when it is back.

    Returns:
        None, or why the trial was put back unsettled: an error of this machine's that is no fault of the cell.

    Raises:
        Interrupted: the process was asked to stop; the trial stays open for stale-trial recovery.
    """
    trial = claim.trial
    run: TrackedRun | None = None
    is_settled = False
    progress = ProgressWriter(queue.folder.progress(trial.number))
    work = queue.folder.work(trial.task.id)
    try:
        # 1. The token is noted before the run is created: recovery finds a dead worker's run by it.
        cell = queue.cell(trial)
        start = _run_start(queue, trial, cell)
        with shield():
            queue.note(trial.number, token=start.token, worker=f"{socket.gethostname()}:{os.getpid()}")
        run = TrackedRun(tracker, start, work / "metrics.jsonl", tell)
        run.attach_configuration(cell.config)
        # 2. Not shielded: it may take days, and a signal is to end it now. The next attempt has its checkpoints.
        if trial.task.kind == "cell" and trial.task.needs is not None:
            take_distant_teacher(queue.latest().get(trial.task.needs), tracker, runner, cell.config)
        log = ValidationReports(queue, trial, cell.config, run.log)
        outcome = until_pruned(lambda: _train(work, trial, cell, log, runner, progress))
        if outcome.status == "diverged":
            outcome = replace(
                outcome,
                metadata={**outcome.metadata, "diverged": outcome.metadata.get("diverged") or _where_diverged(run)},
            )
        # 3. Files before the result: a run that has a result has its scores and its checkpoint too. Here the store is
        # waited for.
        run.keep(outcome)
        with shield():
            _settle(queue, trial, run, outcome)
            is_settled = True
            # Until the trial is COMPLETE, what the next attempt would resume from has to stay.
            shutil.rmtree(work, ignore_errors=True)
        # 4. Last of all, and not shielded, since it waits for the store. Whatever keeps this process from it leaves an
        # open run, which the sweep or the next one closes.
        run.close(outcome)
    except StoppedAtCheckpoint:
        # It ends in good order, so that nobody needs to find out that it is gone.
        _give_back(queue, trial, run)
    except (Interrupted, KeyboardInterrupt):
        if not is_settled:
            # Whatever of this fails is done later by stale-trial recovery.
            with contextlib.suppress(Exception):
                _give_back(queue, trial, run)
        raise
    except Exception as error:
        if not is_settled:
            return _end_after(error, queue, trial, run)
        tell(f"{trial.task.id} is finished, but its run could not be closed: {error_text(error)}")
    finally:
        # The lock goes last: once it is free, any process may take the trial for stale and settle it.
        with contextlib.suppress(OSError):
            progress.clear()
        claim.lock.release()
    return None


def _end_after(error: Exception, queue: TrialQueue, trial: Trial, run: TrackedRun | None) -> str | None:
    """Ends what an error has cut short; returns what `run_claim` does."""
    if isinstance(error, TrialTakenError):
        # The task is others' by now, and no second result is to stand beside theirs.
        logger.warning("cdkd: %s", error)
        if run is not None:
            run.kill()
        return None
    reason = machine_reason(error)
    if reason is None:
        _record_failure(queue, trial, run, error)
        return None
    with contextlib.suppress(Exception):
        _put_back(queue, trial, reason, run)
    return reason


def _give_back(queue: TrialQueue, trial: Trial, run: TrackedRun | None) -> None:
    """The process was asked to stop: the task waits again at once, and this attempt does not count against it."""
    _put_back(queue, trial, "asked to stop", run)


def _put_back(queue: TrialQueue, trial: Trial, reason: str, run: TrackedRun | None) -> None:
    # The run last. Where the queue cannot be written either, the open run tells recovery that there is no result,
    # whatever of one was noted.
    with shield(), contextlib.suppress(TrialTakenError):
        put_back(queue, trial, reason)
    if run is not None:
        run.kill()


def _settle(queue: TrialQueue, trial: Trial, run: TrackedRun, outcome: Outcome) -> None:
    """The end, (2) of `trial_queue.py`."""
    decides = current_name((trial.task.search or {}).get("metric", VALIDATION_TOP1))
    value = float(outcome.metrics.get(decides, 0.0))
    queue.complete(
        trial.number,
        value,
        run_id=run.id,
        status=outcome.status,
        metrics={**outcome.metrics, **run.seconds},
        error=outcome.metadata.get("diverged", ""),
    )


def _where_diverged(run: TrackedRun) -> str:
    last = run.last_logged
    loss = last.metrics.get(TRAIN_LOSS)
    return f"in epoch {last.epoch + 1}" + ("" if loss is None else f", last loss {loss:.4g}")


def _train(work: Path, trial: Trial, cell: Cell, log: Log, runner: CellRunner, progress: ProgressWriter) -> Outcome:
    work.mkdir(parents=True, exist_ok=True)
    if trial.task.kind == "teacher":
        checkpoint = runner.ensure_teacher(cell.config, log, progress)
        taught = runner.teacher_outcome(checkpoint)
        metadata = {**taught.metadata, "checkpoint": str(checkpoint)}
        return Outcome("finished", taught.metrics, taught.artifacts, metadata)
    return runner.run(cell.config, work, log, progress)


def _run_start(queue: TrialQueue, trial: Trial, cell: Cell) -> RunStart:
    task, study, settings = trial.task, queue.folder.path.name, logged_settings(cell.config)
    token, owner = uuid4().hex, queue_name(queue)
    if task.kind == "teacher":
        start = teacher_start(cell.config, settings, study, task.id, trial.attempt, task.stage_digest, cell.recipe)
        return replace(start, token=token, owner=owner)
    # The identity is computed anew here. It differs where a data set or a file of weights was changed after the task
    # was enqueued, and the result would then be filed under what it is not.
    if cell.id != task.id:
        raise CdkdError(f"the settings kept with cell {task.id} are those of {cell.id} now; run the sweep again")
    return RunStart(
        role="cell",
        study=study,
        stage=task.stage,
        label=cell.label,
        cell=task.id,
        seed=cell.seed,
        attempt=trial.attempt,
        stage_digest=task.stage_digest,
        settings=settings,
        labels=dict(cell.labels),
        recipe=cell.recipe,
        token=token,
        owner=owner,
        is_search=task.search is not None,
    )


def queue_name(queue: TrialQueue) -> str:
    """Tells a queue from all others whose runs the same store may hold."""
    if queue.shared_name:
        return queue.shared_name
    return f"{socket.gethostname()}:{queue.folder.path.resolve()}".replace("'", "")


def _record_failure(queue: TrialQueue, trial: Trial, run: TrackedRun | None, error: Exception) -> None:
    file = queue.folder.traceback(trial.task.id, trial.number)
    # On disk first: whatever fails after this, the cause of it all can be read.
    atomic_write(file, traceback.format_exc())
    try:
        with shield():
            queue.fail(trial.number, error_text(error))
    except TrialTakenError as taken:
        logger.warning("cdkd: %s", taken)
        if run is not None:
            run.kill()
        return
    if run is not None:
        # Not shielded, since it waits for the store.
        run.fail(error, file)
