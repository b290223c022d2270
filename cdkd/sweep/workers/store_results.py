"""Which cells have their result in the tracking store, of whatever study, and which have lost it there."""

from collections.abc import Mapping
from functools import cached_property

from cdkd.sweep.queue.trial_queue import TrialQueue
from cdkd.tracking.tracker import CellRun, Tracker


class StoreResults:
    """A store as it was when it was first asked."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    @cached_property
    def by_cell(self) -> Mapping[str, CellRun]:
        """Cell -> the run that has its result, of any study in the store."""
        runs = self._tracker.cell_runs(of_every_study=True)
        return {run.cell: run for run in runs.values() if run.has_result}

    def vanished(self, queue: TrialQueue) -> set[str]:
        """Cells that count as done but whose runs are no longer in the store: these have no result after all."""
        done = [trial for trial in queue.latest().values() if trial.is_done and trial.task.kind == "cell"]
        known = self._tracker.cell_runs() if done else {}
        return {trial.task.id for trial in done if trial.run_id not in known}
