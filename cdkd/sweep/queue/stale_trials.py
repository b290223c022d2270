"""Stale-trial recovery: trials whose process died are settled and enqueued again, their open runs ended as killed."""

from cdkd.atomic_write import atomic_write
from cdkd.run_status import RunStatus
from cdkd.sweep.queue.deaths import Death, read_death, verdict
from cdkd.sweep.queue.trial_queue import Trial, TrialQueue
from cdkd.tracking.tracker import Tracker


def recover(queue: TrialQueue, tracker: Tracker, is_explained: bool = False) -> list[tuple[Trial, RunStatus]]:
    """Settles every trial that nobody runs any more; returns what became of each.

    Args:
        queue: the study's.
        tracker: where its runs are.
        is_explained: their processes were stopped, so that their deaths do not count against the tasks.
    """
    settled = []
    for trial in queue.trials():
        # With an end it was settled before, and is in the list only as history.
        if trial.status != "stale" or trial.ended is not None:
            continue
        # An open run is ended as killed, and its task goes on from the last checkpoint. Where a result is noted and the
        # run is closed, only the settling is missing: of an adopted result, or by a worker of an earlier version.
        token = queue.noted(trial.number, "token")
        was_open = tracker.kill_by_token(token) if token else bool(trial.run_id and tracker.kill_if_open(trial.run_id))
        is_complete = not was_open and queue.noted(trial.number, "status") is not None
        status = settle(queue, trial, is_complete, is_explained)
        if status is not None:
            settled.append((trial, status))
    return settled


def settle(queue: TrialQueue, trial: Trial, is_complete: bool, is_explained: bool = False) -> RunStatus | None:
    """Settles a trial whose process died, and enqueues its task again.

    Args:
        queue: the trial's.
        trial: shown as stale.
        is_complete: its result had been recorded; only the settling was missing.
        is_explained: its process was stopped.

    Returns:
        What became of it; None when another process settled it first.
    """

    def settle() -> RunStatus | None:
        hold = queue.take_over(trial.number)
        if hold is None:
            return None
        try:
            progress = queue.folder.progress(trial.number)
            death = read_death(progress)
            status = _settle(queue, trial, is_complete, is_explained, death)
            progress.unlink(missing_ok=True)
            return status
        finally:
            hold.release()

    return queue.exclusive(settle)


def _settle(queue: TrialQueue, trial: Trial, is_complete: bool, is_explained: bool, death: Death) -> RunStatus:
    # The last of the worker's own writes, done in its place.
    if is_complete:
        queue.finish(trial.number, queue.noted(trial.number, "value") or 0.0)
        return "diverged" if queue.noted(trial.number, "status") == "diverged" else "finished"
    if is_explained:
        queue.note(trial.number, is_interrupted=True)
    queue.note(trial.number, began=death.began)
    # This one is not settled yet, so it is not among those. Being asked to stop explains a death.
    reason = verdict([*_deaths(queue, trial.task.id), death])
    if reason is not None and not queue.noted(trial.number, "is_interrupted"):
        _write_obituary(queue, trial, reason)
        queue.fail(trial.number, reason)
        return "failed"
    # (3) of `trial_queue.py`
    queue.mark_stale(trial.number)
    queue.enqueue_again(trial)
    return "stale"


def put_back(queue: TrialQueue, trial: Trial, reason: str) -> None:
    """Enqueues a running trial's task again, without counting the attempt; the caller runs the trial."""

    def put_back() -> None:
        queue.note(trial.number, is_interrupted=True, error=reason)
        queue.mark_stale(trial.number)
        queue.enqueue_again(trial)

    queue.exclusive(put_back)


def _deaths(queue: TrialQueue, task_id: str) -> list[Death]:
    """Unexplained deaths over the task since it last ended, oldest first."""
    deaths: list[Death] = []
    for trial in queue.trials():
        if trial.task.id != task_id or trial.ended is None:
            continue
        if trial.status != "stale":
            deaths = []
        elif not queue.noted(trial.number, "is_interrupted"):
            deaths.append(Death(queue.noted(trial.number, "began")))
    return deaths


def _write_obituary(queue: TrialQueue, trial: Trial, reason: str) -> None:
    """A dead process leaves no traceback; in its place stands what is known, since lists name that file."""
    logs = queue.folder.worker_log("*").parent
    text = f"{reason}\n\nNo traceback: the processes were killed. What they printed, if anything, is in {logs}.\n"
    atomic_write(queue.folder.traceback(trial.task.id, trial.number), text)
