"""The log of a sweep's events: what has happened to its tasks since the last look, and how they stand."""

from collections.abc import Mapping, Sequence

from cdkd.callbacks import seconds_text
from cdkd.metric_names import PRUNED_EPOCH, TEST_TOP1
from cdkd.sweep.display.running import duration_seconds, running_task
from cdkd.sweep.display.study_status import count_cells
from cdkd.sweep.display.sweep_display import SweepDisplay, SweepStatus, clock
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import Trial
from cdkd.tracking.tracker import CellRun


class EventLog:
    """Compares the queue with what it looked like before.

    Args:
        display: shows the events.
        folder: the study's.
        past: trials that were there before the sweep began; they are no news.
    """

    def __init__(self, display: SweepDisplay, folder: StudyFolder, past: Sequence[Trial]) -> None:
        self._display = display
        self._folder = folder
        self._seen: dict[int, str] = {trial.number: trial.status for trial in past}
        self.labels: dict[str, str] = {}
        """Task id -> how it is called; other tasks are not told of."""
        self.num_trained = 0
        """Cells that ended well since the sweep began."""
        self.num_reused = 0
        """Cells whose result the tracking store had."""
        self.num_failed = 0
        """Tasks that failed since the sweep began."""

    def label(self, trial: Trial) -> str:
        """How a trial's task is called."""
        return self.labels.get(trial.task.id, trial.task.id)

    def log_changes(self, trials: Mapping[str, Trial]) -> int:
        """Tells what has changed since the last call; returns how many tasks ended."""
        num_ended = 0
        for trial in trials.values():
            if trial.task.id not in self.labels or self._seen.get(trial.number) == trial.status:
                continue
            self._seen[trial.number] = trial.status
            if trial.status == "running":
                again = f" (attempt {trial.attempt})" if trial.attempt > 1 else ""
                self._display.log_event(f"started  {self.label(trial)}{again}")
            elif trial.is_done and trial.reused_from:
                num_ended += 1
                self.num_reused += 1
                self._display.log_event(f"reused   {self.label(trial)}: study {trial.reused_from} has trained it")
            elif trial.is_done:
                num_ended += 1
                self.num_trained += trial.task.kind == "cell"
                self._display.log_event(f"{trial.status} {self.label(trial)}{_result(trial)}")
            elif trial.status == "pruned":
                num_ended += 1
                epoch = trial.metrics.get(PRUNED_EPOCH)
                when = "by the seeds before it" if epoch is None else f"after epoch {epoch:.0f}"
                self._display.log_event(f"pruned   {self.label(trial)}: behind the others {when}")
            elif trial.status == "failed":
                num_ended += 1
                self.num_failed += 1
                self._display.log_event(f"FAILED   {self.label(trial)}: {trial.error}")
        return num_ended

    def log_reused(self, task_id: str, number: int, run: CellRun) -> None:
        """A cell's result was found in the tracking store; its trial is no news any more."""
        self._seen[number] = run.status
        self.num_reused += 1
        self._display.log_event(f"reused   {self.labels.get(task_id, task_id)}: study {run.study} has trained it")

    def log_stale(self, trial: Trial) -> None:
        """A trial's process died and the task was enqueued again."""
        self._seen[trial.number] = "stale"
        self._display.log_event(
            f"stale    {self.label(trial)}: its process ended early; it goes on from its last checkpoint"
        )

    def status_of(
        self, study: str, trials: Sequence[Trial], num_workers: int, open_stages: Sequence[str]
    ) -> SweepStatus:
        """How these trials stand."""
        cells = [trial for trial in trials if trial.task.kind == "cell"]
        running = [
            running_task(self._folder, trial, self.label(trial)) for trial in trials if trial.status == "running"
        ]
        return count_cells(study, cells, running, num_workers, open_stages)


def _result(trial: Trial) -> str:
    """What came of a task that is done, and what it took."""
    metrics = trial.metrics
    found = f": test top-1 {metrics[TEST_TOP1]:.1f} %" if TEST_TOP1 in metrics else ""
    if trial.status == "diverged":
        found = f": {trial.error}"
    spent = seconds_text(metrics)
    return f"{found}, {clock(duration_seconds(trial))}{f' ({spent})' if spent else ''}"
