"""Several workers at the cells of a study that sweeps have planned: what a sweep does besides planning them."""

from cdkd.graceful_stop import is_stop_requested
from cdkd.sweep.display.event_log import EventLog
from cdkd.sweep.display.notices import NoticeReader
from cdkd.sweep.display.running import task_label
from cdkd.sweep.display.sweep_display import SweepDisplay
from cdkd.sweep.interruption import STOP_SIGNALS, catch_signals, shield
from cdkd.sweep.queue.stale_trials import recover
from cdkd.sweep.queue.stop_request import heeding_stop_requests
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import TrialQueue
from cdkd.sweep.queue.wanted_tasks import is_open, wanted_by
from cdkd.sweep.workers.patient_tracker import PatientTracker
from cdkd.sweep.workers.pool import Workers
from cdkd.sweep.workers.worker import WorkerOptions, clean_up
from cdkd.tracking.mlflow_tracker import MlflowTracker

_SECONDS_BETWEEN_LOOKS = 0.5


def work_together(
    folder: StudyFolder,
    tracker: MlflowTracker,
    workers: Workers,
    num_workers: int,
    display: SweepDisplay,
    options: WorkerOptions,
) -> None:
    """Keeps workers at the study's tasks until none is left, one has failed where that ends it, or it is asked to stop.

    Args:
        folder: the study's.
        tracker: where runs are tracked.
        workers: the processes, which take what `options` say; none has started.
        num_workers: how many of them there are where there are tasks enough.
        display: shows what happens.
        options: see there.

    Raises:
        CdkdError: no worker can run.
        Interrupted: a signal asked to stop; the workers have ended, and their runs as killed.
    """
    catch_signals(*STOP_SIGNALS)
    group = _Group(folder, tracker, workers, display, options)
    try:
        with heeding_stop_requests(folder):
            while group.turn(num_workers):
                group.workers.wait(_SECONDS_BETWEEN_LOOKS)
    finally:
        with shield():
            group.close()


class _Group:
    def __init__(
        self,
        folder: StudyFolder,
        tracker: MlflowTracker,
        workers: Workers,
        display: SweepDisplay,
        options: WorkerOptions,
    ) -> None:
        self.workers = workers
        self._study = folder.path.name
        self._display = display
        self._options = options
        self._queue = TrialQueue(folder)
        self._tracker = PatientTracker(tracker, display.log_event)
        self._is_asked = wanted_by(folder, None)
        self._events = EventLog(display, folder, self._queue.trials())
        self._notices = NoticeReader(folder)
        self._is_draining = False

    def turn(self, num_workers: int) -> bool:
        """One look at everything; False when nothing is left to do."""
        with shield():
            for text in self._notices.read():
                self._display.log_event(text)
            for trial, status in recover(self._queue, self._tracker):
                if status == "stale":
                    self._events.log_stale(trial)
            trials = self._queue.latest()
        mine = [
            trial for trial in trials.values() if self._is_asked(trial.task) and self._options.is_chosen(trial.task)
        ]
        for trial in mine:
            self._events.labels.setdefault(trial.task.id, task_label(trial.task))
        if self._events.log_changes(trials):
            self.workers.note_success()
        self._display.show(self._events.status_of(self._study, mine, len(self.workers), ()))
        num_open = sum(is_open(trial, trials) for trial in mine)
        self._end_early(num_open)
        if self._is_draining:
            return not self.workers.has_ended()
        self.workers.start(min(num_workers, num_open))
        for text in self.workers.watch():
            self._display.log_event(text)
        return True

    def _end_early(self, num_open: int) -> None:
        """Starts no more where nothing is left, where one has failed, and where somebody asks for it."""
        if self._is_draining:
            return
        if is_stop_requested():
            self._display.log_event("asked to stop: starting no more; what is under way ends at its next checkpoint")
            self.workers.stop_at_checkpoint()
        elif not num_open or (self._options.stop_on_failure and self._events.num_failed):
            self.workers.drain()
        else:
            return
        self._is_draining = True

    def close(self) -> None:
        """Ends the workers, and settles what they leave."""
        self.workers.stop()
        recover(self._queue, self._tracker, is_explained=True)
        clean_up(self._queue, self._tracker)
