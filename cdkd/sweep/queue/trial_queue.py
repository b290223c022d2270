"""The queue: a study's tasks as trials of an Optuna study, each enqueued once, claimed by one worker, and settled.

    enqueue      claim                     keep files, metrics      complete                 close run
    WAITING  ->  take the lock, RUNNING ->  in MLflow  ->  result noted and COMPLETE in one  ->  MLflow
                     |
                     +-- the process dies: the kernel frees its lock, and a RUNNING trial whose lock is free is stale

Any process may be killed between any two writes. What makes each order of two of them safe:

1. The lock is taken before the trial is set RUNNING. Killed in between, a worker leaves a WAITING trial, which the next
   one claims. The other way round, recovery could meet a RUNNING trial without a holder and take it from its worker.
2. The trial is COMPLETE before its run is closed as finished, and only the process that runs a trial can complete it:
   one that was taken for dead, and comes back when the task is another's, is refused, and leaves no second result.
   Killed in between, a worker leaves an open run whose trial says what it is closed as. Before that, the trial is
   stale: its run is ended as killed and the task goes on from its last checkpoint.
3. A stale trial is settled before its task is enqueued again, both under the queue's lock. Killed in between, recovery
   leaves a stale trial that has ended: `enqueue` counts that as not there, so that the next sweep adds the task.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cdkd.errors import CdkdError
from cdkd.metric_names import VALIDATION_TOP1, current_names
from cdkd.run_status import RunStatus, has_result
from cdkd.sweep.queue.cell_configuration import Configuration, shared_name
from cdkd.sweep.queue.queue_storage import Hold, Result, State, StoredTrial, TrialTakenError, open_storage
from cdkd.sweep.queue.queued_task import QueuedTask, Trial, is_blocked, new_trial, noted, status_of, task_of
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_index import TrialIndex
from cdkd.sweep.study.cell import Cell
from cdkd.tracking.tracker import CellRun

__all__ = ["Claim", "QueuedTask", "Trial", "TrialQueue", "is_blocked"]


@dataclass
class Claim:
    """A trial that this process may run, with what tells others so."""

    trial: Trial
    lock: Hold


class TrialQueue:
    """A study's tasks. Any number of processes may work on one at once; an object belongs to one thread."""

    def __init__(self, folder: StudyFolder, is_read_only: bool = False) -> None:
        self.folder = folder
        self._storage = open_storage(folder, is_read_only)
        self._shared: dict[tuple[str, str], Mapping[str, Any]] = {}
        """Settings that cells share, by stage and name; they never change."""
        self._index = TrialIndex()
        self._shown: dict[int, Trial] = {}
        """Trials that have not changed since they were last shown; what runs may die at any time."""

    @property
    def shared_name(self) -> str:
        """See `QueueStorage`."""
        return self._storage.shared_name

    def _refresh(self) -> None:
        for stored in self._storage.changed():
            if "task" not in stored.attributes:
                raise CdkdError(
                    f"{self._storage.place}: trial {stored.number} has no task; what is kept there is cdkd's own: "
                    "remove the study's folder to start afresh"
                )
            self._index.update(stored, stored.attributes["task"])
            self._shown.pop(stored.number, None)

    @property
    def place(self) -> str:
        """Where the trials are kept, for messages."""
        return self._storage.place

    def exclusive(self, body: Callable[[], Result]) -> Result:
        """Runs `body`, which alone of all processes may add or settle trials meanwhile.

        All of what it does to the queue is done, or nothing; then it is run again, or its error raised.
        """
        tries = 0

        def once_more() -> Result:
            nonlocal tries
            tries += 1
            if tries > 1:
                self._forget()
            return body()

        try:
            return self._storage.exclusive(once_more)
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        """What was seen of a transaction that came to nothing."""
        self._index, self._shown = TrialIndex(), {}
        self._storage.forget()

    def trials(self) -> list[Trial]:
        """Every attempt in the order in which they were enqueued.

        Raises:
            CdkdError: the study holds a trial that cdkd did not put there.
        """
        self._refresh()
        alive = self._storage.alive(self._index.running)
        for number in self._index.running:
            self._shown[number] = self._show(self._index.trials[number], number in alive)
        return [self._shown.get(number) or self._remember(number) for number in self._index.trials]

    def _remember(self, number: int) -> Trial:
        self._shown[number] = self._show(self._index.trials[number], is_alive=False)
        return self._shown[number]

    def _show(self, stored: StoredTrial, is_alive: bool) -> Trial:
        attributes = stored.attributes
        return Trial(
            number=stored.number,
            task=self._task_of(stored),
            status=status_of(stored, is_alive),
            attempt=self._index.attempts[stored.number],
            run_id=attributes.get("run_id"),
            metrics=current_names(attributes.get("metrics", {})),
            error=attributes.get("error", ""),
            token=attributes.get("token", ""),
            reused_from=attributes.get("reused_from", ""),
            worker=attributes.get("worker", ""),
            started=stored.started,
            ended=stored.ended,
        )

    def latest(self) -> dict[str, Trial]:
        """Task id -> its last attempt, which alone decides."""
        return {trial.task.id: trial for trial in self.trials()}

    def enqueue(
        self, tasks: Sequence[QueuedTask], retry_failed: bool = False, again: Iterable[str] = ()
    ) -> list[QueuedTask]:
        """Puts tasks on the queue that are not there yet; returns those.

        Args:
            tasks: in the order in which they are to be claimed.
            retry_failed: tasks whose last attempt failed too.
            again: ids of tasks to run once more although they ended well.
        """
        once_more = set(again)

        def enqueue() -> list[QueuedTask]:
            latest = self.latest()
            added = []
            for task in tasks:
                last = latest.get(task.id)
                is_wanted = (
                    last is None
                    or (last.is_done and task.id in once_more)
                    or (last.status == "failed" and retry_failed)
                    # A search had enough of it; a table has not.
                    or (last.status == "pruned" and task.search is None)
                    or (last.status == "stale" and last.ended is not None)
                )
                if is_wanted:
                    added.append(task)
                elif last is not None and last.status == "waiting":
                    self._renew(task, last.number)
            self._create(added)
            return added

        return self.exclusive(enqueue)

    def _create(self, tasks: Sequence[QueuedTask]) -> list[int]:
        self._keep_shared(tasks)
        return self._storage.create([new_trial(task) for task in tasks])

    def _keep_shared(self, tasks: Sequence[QueuedTask]) -> None:
        # Of many tasks with the same settings: the same object, whose hash is taken once.
        shared = {(task.stage, id(task.configuration.shared)): task.configuration.shared for task in tasks}
        for (stage, _), settings in shared.items():
            self._storage.keep(stage, shared_name(settings), dict(settings))

    def _renew(self, task: QueuedTask, number: int) -> None:
        """Brings a waiting trial up to date: settings that cannot change its result may have changed since."""
        if self._index.trials[number].attributes.get("configuration") != task.configuration.reference:
            self._keep_shared([task])
            self.note(number, configuration=task.configuration.reference)

    def adopt(self, results: Iterable[tuple[QueuedTask, CellRun]]) -> dict[str, int]:
        """Settles tasks with the results that tracked runs have.

        Returns:
            Task id -> trial's number; without the tasks that a worker is at, whose own result counts then.
        """
        found = list(results)

        def adopt() -> dict[str, int]:
            adopted = {}
            # Read once: meanwhile a waiting trial may be claimed, but none comes.
            latest = self.latest()
            for task, run in found:
                last = latest.get(task.id)
                if last is not None and last.status == "running":
                    continue
                # A waiting trial is taken as it is: with a second one beside it, a worker would train the cell all
                # the same.
                is_waiting = last is not None and last.status == "waiting"
                number = last.number if last is not None and is_waiting else self._create([task])[0]
                hold = self._storage.take(number)
                if hold is not None:
                    try:
                        self.settle_with(number, run)
                    finally:
                        hold.release()
                    adopted[task.id] = number
            return adopted

        return self.exclusive(adopt)

    def settle_with(self, number: int, run: CellRun) -> None:
        """Settles a trial that this process has taken with the result of a tracked run."""
        # The result before the state. Killed in between, it is a stale trial with a closed run: recovery finishes it.
        value, metrics = run.metrics.get(VALIDATION_TOP1, 0.0), dict(run.metrics)
        self.note(number, run_id=run.run_id, metrics=metrics, value=value, reused_from=run.study, status=run.status)
        self.finish(number, value)

    def claim(self, is_wanted: Callable[[QueuedTask], bool] = lambda task: True) -> Claim | None:
        """Takes the first waiting trial whose needs are met; None when there is none now.

        Args:
            is_wanted: whether a task may be taken; the queue may hold what an earlier sweep asked for.
        """
        self._refresh()
        blocked = {need for need in self._index.needs() if not self._has_result(need)}
        # No lock around the search: two workers may try the same trial, and the storage lets one of them have it.
        waiting = (number for number in self._index.waiting(blocked) if is_wanted(self._waiting_task(number)))
        taken = self._storage.take_first(waiting)
        if taken is None:
            return None
        number, hold = taken
        hold.keep_alive()
        self._refresh()
        trial = self._show(self._index.trials[number], is_alive=True)
        return Claim(replace(trial, task=self._whole_task(trial)), hold)

    def _task_of(self, stored: StoredTrial) -> QueuedTask:
        task, reference = task_of(stored), stored.attributes.get("configuration")
        if reference is None:
            return task
        key = task.stage, reference["shared"]
        if key not in self._shared:
            self._shared[key] = self._storage.kept(*key) or {}
        return replace(task, configuration=Configuration(self._shared[key], reference["own"]))

    def _whole_task(self, trial: Trial) -> QueuedTask:
        """A trial's task with what is only read for a trial that runs."""
        return replace(trial.task, parameters=self._storage.parameters(trial.number))

    def _waiting_task(self, number: int) -> QueuedTask:
        return (self._shown.get(number) or self._remember(number)).task

    def cell(self, trial: Trial) -> Cell:
        """What a trial runs; of a teacher's, a cell that needs it.

        Raises:
            CdkdError: the trial was planned by another version of cdkd.
        """
        configuration = trial.task.configuration
        if not configuration.shared:
            raise CdkdError(f"{self._storage.place}: planned by an earlier version of cdkd; run the sweep again")
        return Cell(trial.task.stage, trial.task.labels, configuration.build(), recipe=trial.task.recipe)

    def _has_result(self, task: str) -> bool:
        # What is not in the queue needs no training: its result was there when the cell was enqueued.
        number = self._index.last.get(task)
        return number is None or has_result(status_of(self._index.trials[number], is_alive=False))

    def note(self, number: int, **attributes: Any) -> None:
        """Keeps attributes with a trial.

        Raises:
            TrialTakenError: another process has settled it.
        """
        self._storage.note(number, attributes)

    def report(self, number: int, epoch: int, value: float) -> None:
        """Keeps what a trial has reached after an epoch, as Optuna's learning curves show it. Raises as `note` does."""
        if math.isfinite(value):
            self._storage.report(number, epoch, value)

    def complete(self, number: int, value: float, *, run_id: str, status: RunStatus, **attributes: Any) -> None:
        """Notes a trial's result and settles it, both or neither; else as `note` and `finish`."""

        def complete() -> None:
            # The status last: of a disk that has no room for all of it, recovery takes no half result for a whole one.
            self.note(number, run_id=run_id, value=value, **attributes, status=status)
            self.finish(number, value)

        try:
            self.exclusive(complete)
        except TrialTakenError:
            # By this very call, where the connection broke after the database had done what it said.
            is_mine = self.noted(number, "run_id") == run_id and self.noted(number, "status") == status
            if not is_mine or self._index.trials[number].state == "FAIL":
                raise

    def finish(self, number: int, value: float) -> None:
        """Settles a trial as its noted status says: ended well, or pruned. Raises as `note` does.

        Args:
            number: of the trial.
            value: what Optuna's own tools show.
        """
        state: State = "PRUNED" if self.noted(number, "status") == "pruned" else "COMPLETE"
        self._storage.settle(number, state, value if math.isfinite(value) else 0.0)

    def fail(self, number: int, error: str) -> None:
        """Settles a trial as failed. Raises as `note` does."""
        self.note(number, error=error)
        self._storage.settle(number, "FAIL")

    def noted(self, number: int, name: str) -> Any:
        """One thing that was noted of a trial; None where it was not."""
        self._refresh()
        return noted(self._index.trials[number].attributes, name)

    def mark_stale(self, number: int) -> None:
        """Settles a trial whose process is gone, in a way that `trials` tells from a failure."""
        # Noted before the state, as a trial that has ended takes no more attributes.
        self.note(number, is_stale=True)
        self._storage.settle(number, "FAIL")

    def take_over(self, number: int) -> Hold | None:
        """The right to settle a trial whose process is gone; None when it lives, or another was first.

        Within `exclusive`.
        """
        return self._storage.take_over(number)

    def remove(self) -> None:
        """Forgets the study where a database keeps it; what the study's folder holds goes with the folder."""
        self._storage.remove()
        self._forget()

    def enqueue_again(self, trial: Trial) -> None:
        """A fresh trial of a trial's task. Within `exclusive`."""
        self._create([self._whole_task(trial)])
