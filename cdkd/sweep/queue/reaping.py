"""Stale-trial recovery: trials whose process died are settled and enqueued again, their open runs ended as killed."""

from cdkd.run_status import RunStatus
from cdkd.sweep.queue.trial_queue import Trial, TrialQueue
from cdkd.tracking.tracker import Tracker


def reap(queue: TrialQueue, tracker: Tracker) -> list[tuple[Trial, RunStatus]]:
    """Settles every trial that nobody runs any more; returns what became of each."""
    settled = []
    for trial in queue.trials():
        if trial.status != "stale" or trial.ended is not None:
            continue
        was_open = trial.run_id is not None and tracker.kill_if_open(trial.run_id)
        is_complete = not was_open and queue.noted(trial.number, "status") is not None
        status = queue.settle_stale(trial, is_complete)
        if status is not None:
            settled.append((trial, status))
    return settled
