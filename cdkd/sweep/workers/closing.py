"""The last that a sweep does: what is open in the queue and in the tracking store is settled, for it to find later."""

from collections.abc import Sequence

from cdkd.run_status import RunStatus
from cdkd.sweep.display.sweep_display import SweepDisplay
from cdkd.sweep.interruption import seconds_since_stop
from cdkd.sweep.queue.queue_storage import StorageError
from cdkd.sweep.queue.stage_cells import StageCells
from cdkd.sweep.queue.stale_trials import recover
from cdkd.sweep.queue.trial_queue import TrialQueue
from cdkd.sweep.workers.abandoned_runs import close_abandoned_runs, close_abandoned_stages
from cdkd.sweep.workers.attempt import queue_name
from cdkd.sweep.workers.stage_record import close_stage
from cdkd.tracking.store import StoreAway
from cdkd.tracking.tracker import Tracker


def close_records(
    queue: TrialQueue,
    tracker: Tracker,
    stages: Sequence[StageCells],
    other_stages: Sequence[str],
    status: RunStatus,
    sweep: str,
    display: SweepDisplay,
) -> None:
    """Settles what stopped workers have left, and ends the runs of all stages.

    Args:
        queue: the study's; the sweep's workers have ended.
        tracker: the study's.
        stages: whose cells are known.
        other_stages: names of those whose are not, and of the teachers'.
        status: what the stages are ended as.
        sweep: `WantedTasks.name` of the sweep.
        display: is told where the store does not answer.
    """
    try:
        # A worker that was too slow to end in good order was killed by this sweep, which explains its death.
        recover(queue, tracker, is_explained=True)
        close_abandoned_runs(queue, tracker, queue_name(queue))
        trials = queue.latest()
        for stage_cells in stages:
            close_stage(tracker, stage_cells, trials, status)
        for name in other_stages:
            tracker.close_stage(name, status)
        close_abandoned_stages(queue, tracker, status, besides=sweep)
    except StoreAway:
        # Only where the process was asked to stop; else it would have waited.
        display.log_event("the tracking store does not answer; the next sweep closes what is open there")
    except StorageError:
        if seconds_since_stop() is None:
            raise
        display.log_event(f"{queue.place} does not answer; the next sweep settles what is open there")
