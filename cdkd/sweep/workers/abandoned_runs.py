"""Runs that dead processes have left open in the tracking store, closed by whoever comes next.

An attempt's token is noted with its trial before its run is created. So every open run of this queue has a trial, and
the trial says what became of it; a run without one is of a folder that was removed since.
"""

from cdkd.run_status import RunStatus
from cdkd.sweep.queue.trial_queue import TrialQueue
from cdkd.sweep.queue.wanted_tasks import is_any_sweep_alive
from cdkd.tracking.tracker import Tracker


def close_abandoned_runs(queue: TrialQueue, tracker: Tracker, owner: str) -> int:
    """Ends the open runs of the queue's tasks that nobody works on; returns how many.

    Args:
        queue: after stale-trial recovery.
        tracker: the study's.
        owner: `attempt.queue_name` of the queue.
    """
    # The store first: a run that is opened later is not among these, and one that is has its trial by now.
    found = tracker.open_runs(owner)
    trials = {trial.token: trial for trial in queue.trials() if trial.token} if found else {}
    num_closed = 0
    for run in found:
        trial = trials.get(run.token)
        if trial is not None and (trial.status == "running" or (trial.status == "stale" and trial.ended is None)):
            continue
        is_result = trial is not None and trial.is_over and trial.run_id == run.run_id
        if trial is not None and (is_result or trial.status == "failed"):
            # Its process died between (2) the end of the trial and that of the run, of which nothing else is missing.
            tracker.close(run.run_id, trial.status, trial.error if trial.status == "failed" else "")
        else:
            tracker.kill_if_open(run.run_id)
        num_closed += 1
    return num_closed


def close_abandoned_stages(queue: TrialQueue, tracker: Tracker, status: RunStatus, besides: str = "") -> None:
    """Ends the parent runs that no living sweep will end.

    Args:
        queue: the study's.
        tracker: the study's.
        status: what they are ended as.
        besides: `WantedTasks.name` of the sweep that asks, and is about to end.
    """
    if not is_any_sweep_alive(queue.folder, besides):
        for stage in tracker.open_stages():
            tracker.close_stage(stage, status)
