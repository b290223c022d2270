"""Tells a view what happens to a sweep's tasks, and how they stand."""

import time
from collections.abc import Mapping, Sequence

from cdkd.sweep.board import Trial
from cdkd.sweep.folder import StudyFolder
from cdkd.sweep.progress import read_progress
from cdkd.sweep.view import Running, Snapshot, View, clock, seconds_left


class Narrator:
    """Compares the board with what it looked like before.

    Args:
        view: is told.
        folder: the study's.
        past: trials that were there before the sweep began; they are no news.
    """

    def __init__(self, view: View, folder: StudyFolder, past: Sequence[Trial]) -> None:
        self._view = view
        self._folder = folder
        self._seen: dict[int, str] = {trial.number: trial.state for trial in past}
        self.labels: dict[str, str] = {}
        """Task id -> how it is called; other tasks are not told of."""
        self.num_trained = 0
        """Cells that ended well since the sweep began."""
        self.num_failed = 0
        """Tasks that failed since the sweep began."""

    def label(self, trial: Trial) -> str:
        """How a trial's task is called."""
        return self.labels.get(trial.task.id, trial.task.id)

    def tell_changes(self, trials: Mapping[str, Trial]) -> int:
        """Tells what has changed since the last call; returns how many tasks ended."""
        num_ended = 0
        for trial in trials.values():
            if trial.task.id not in self.labels or self._seen.get(trial.number) == trial.state:
                continue
            self._seen[trial.number] = trial.state
            if trial.state == "running":
                again = f" (attempt {trial.attempt})" if trial.attempt > 1 else ""
                self._view.tell(f"started  {self.label(trial)}{again}")
            elif trial.is_done:
                num_ended += 1
                self.num_trained += trial.task.kind == "cell"
                top1 = trial.metrics.get("test_top1")
                result = "" if top1 is None else f": test top-1 {top1:.1f} %"
                self._view.tell(f"{trial.state} {self.label(trial)}{result}, {clock(duration_seconds(trial))}")
            elif trial.state == "failed":
                num_ended += 1
                self.num_failed += 1
                self._view.tell(f"FAILED   {self.label(trial)}: {trial.error}")
        return num_ended

    def tell_lost(self, trial: Trial) -> None:
        """A trial's process died and the task was put up again."""
        self._seen[trial.number] = "lost"
        self._view.tell(f"lost     {self.label(trial)}: its process ended early; it goes on from its last checkpoint")

    def snapshot(self, study: str, trials: Sequence[Trial], num_workers: int, open_stages: Sequence[str]) -> Snapshot:
        """How these trials stand."""
        cells = [trial for trial in trials if trial.task.kind == "cell"]
        running = [
            Running(self.label(trial), read_progress(self._folder.progress(trial.number)), duration_seconds(trial))
            for trial in trials
            if trial.state == "running"
        ]
        durations = [duration_seconds(trial) for trial in cells if trial.is_done]
        num_waiting = sum(trial.state in ("waiting", "lost") for trial in cells)
        return Snapshot(
            study=study,
            num_cells=len(cells),
            num_done=sum(trial.is_done for trial in cells),
            num_failed=sum(trial.state == "failed" for trial in cells),
            running=running,
            seconds_left=seconds_left(running, num_waiting, durations, num_workers),
            open_stages=open_stages,
        )


def duration_seconds(trial: Trial) -> float:
    """How long a trial ran, or has been running."""
    if trial.started is None:
        return 0.0
    end = trial.ended.timestamp() if trial.ended else time.time()
    return max(0.0, end - trial.started.timestamp())
