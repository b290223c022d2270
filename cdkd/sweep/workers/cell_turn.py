"""A worker's turn: claims the next task that nobody trains, looks whether it needs training at all, and runs it."""

from collections.abc import Callable

from cdkd.sweep.interruption import shield
from cdkd.sweep.queue.stale_trials import put_back
from cdkd.sweep.queue.trial_queue import Claim, QueuedTask, Trial, TrialQueue
from cdkd.sweep.workers.attempt import queue_name, run_claim
from cdkd.sweep.workers.cell_locks import CellHolder, CellLock, CellLocks
from cdkd.sweep.workers.cell_runner import CellRunner
from cdkd.sweep.workers.patient_tracker import PatientTracker
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.store import absolute_uri
from cdkd.tracking.store_sender import Tell


def cell_locks(queue: TrialQueue, tracking_uri: str) -> CellLocks:
    """The locks of the cells of a store, for this queue's workers and for its sweep."""
    return CellLocks(absolute_uri(tracking_uri), CellHolder(queue.folder.path.name, queue_name(queue)))


class CellTurn:
    """Takes turn after turn.

    Args:
        queue: the study's.
        tracker: where its runs are tracked.
        runner: trains.
        is_wanted: whether a task may be taken.
        tell: called when something is to be told on the sweep's terminal.
        is_fresh: trains what other studies train or have trained.
        watch: called with the trial when its task is begun, and again when it has ended.
    """

    def __init__(
        self,
        queue: TrialQueue,
        tracker: MlflowTracker,
        runner: CellRunner,
        is_wanted: Callable[[QueuedTask], bool],
        tell: Tell,
        is_fresh: bool,
        watch: Callable[[Trial], None] | None = None,
    ) -> None:
        self._queue = queue
        self._tracker = tracker
        self._patient = PatientTracker(tracker, tell)
        self._runner = runner
        self._is_wanted = is_wanted
        self._tell = tell
        self._locks = None if is_fresh else cell_locks(queue, tracker.uri)
        self._watch = watch
        self.reason: str | None = None
        """Why the last task was put back; None where it was settled."""

    def run_next(self) -> bool:
        """Runs the next task to its end; False where there is none now."""
        # A signal between taking the lock and getting the claim would leave a trial that this process runs without
        # knowing it.
        with shield():
            claim = self._queue.claim(self._is_free)
        if claim is None:
            return False
        self.reason = None
        locks = self._locks if claim.trial.task.kind == "cell" else None
        lock = None if locks is None else locks.take(claim.trial.task.id)
        try:
            if locks is not None and lock is None:
                # Another study was faster by a moment.
                self._let_go(claim)
            elif lock is None or not self._adopt(claim, lock):
                self._run(claim)
        finally:
            claim.lock.release()
            if lock is not None:
                lock.lock.release()
        return True

    def _is_free(self, task: QueuedTask) -> bool:
        is_others = self._locks is not None and task.kind == "cell" and self._locks.trained_by(task.id) is not None
        return self._is_wanted(task) and not is_others

    def _let_go(self, claim: Claim) -> None:
        with shield():
            put_back(self._queue, claim.trial, "another study trains it")

    def _adopt(self, claim: Claim, lock: CellLock) -> bool:
        """Takes the result that another study has reached since this task was enqueued."""
        if self._locks is None or not self._locks.is_others(lock.before):
            return False
        trial = claim.trial
        found = self._patient.result_of(trial.task.id)
        if found is None:
            return False
        with shield():
            if found.study != self._queue.folder.path.name:
                self._patient.adopt(found, trial.task.stage)
            if found.is_search and trial.task.search is None:
                self._patient.admit(found.run_id)
            self._queue.settle_with(trial.number, found)
        return True

    def _run(self, claim: Claim) -> None:
        if self._watch is not None:
            self._watch(claim.trial)
        self.reason = run_claim(self._queue, claim, self._tracker, self._runner, self._tell)
        if self._watch is not None:
            self._watch(self._queue.latest()[claim.trial.task.id])
        if self.reason is not None:
            task = claim.trial.task
            self._tell(f"put back {', '.join(task.labels.values()) or task.id}, seed {task.seed}: {self.reason}")
