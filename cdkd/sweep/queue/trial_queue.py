"""The queue: a study's tasks as trials of an Optuna study, each enqueued once, claimed by one worker, and settled.

    enqueue      claim                     note result      close run      finish
    WAITING  ->  take the lock, RUNNING ->  attributes  ->   MLflow   ->   COMPLETE
                     |
                     +-- the process dies: the kernel frees its lock, and a RUNNING trial whose lock is free is stale

Any process may be killed between any two writes. What makes each order of two of them safe:

1. The lock is taken before the trial is set RUNNING. Killed in between, a worker leaves a WAITING trial, which the next
   one claims. The other way round, recovery could meet a RUNNING trial without a holder and take it from its worker.
2. The result is noted on the trial before its run is closed, and the run is closed before the trial is COMPLETE. A
   stale trial with a closed run therefore has its result, and recovery only finishes it; one with an open run has
   not, so the run is ended as killed and the task goes on from its last checkpoint.
3. A stale trial is settled before its task is enqueued again, both under the queue's lock. Killed in between, recovery
   leaves a stale trial that has ended: `enqueue` counts that as not there, so that the next sweep adds the task.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from cdkd.errors import CdkdError
from cdkd.file_lock import FileLock, is_free
from cdkd.run_status import RunStatus, has_result
from cdkd.sweep.queue.parameters import Parameters
from cdkd.sweep.queue.storage import open_journal, optuna_study_name, read_journal
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.tracking.tracker import CellRun

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class QueuedTask:
    """Something to run: a cell, or a teacher that cells need."""

    id: str
    kind: Literal["cell", "teacher"]
    stage: str
    labels: Mapping[str, str] = field(default_factory=dict)
    needs: str | None = None
    """Id of the task that must have ended well before."""
    stage_digest: str = ""
    """Hash of the stage's cells, as tracked."""
    seed: int = 0
    parameters: Parameters = field(default_factory=Parameters)
    """The settings that the stage varies."""


@dataclass(frozen=True)
class Trial:
    """One attempt at a task, as the queue shows it."""

    number: int
    """Unique over all stages of the study."""
    task: QueuedTask
    status: RunStatus
    attempt: int
    """Counts from 1."""
    run_id: str | None
    metrics: Mapping[str, float]
    error: str
    started: datetime | None
    ended: datetime | None
    token: str = ""
    """Of its tracked run; empty before it has one."""
    reused_from: str = ""
    """The study whose result it took, if any."""
    worker: str = ""
    """Process at it, as host:pid; empty until it has said so."""

    @property
    def is_done(self) -> bool:
        """It ended with a result."""
        return has_result(self.status)


@dataclass
class Claim:
    """A trial that this process may run, with the lock that says so."""

    trial: Trial
    lock: FileLock


class TrialQueue:
    """A study's tasks. Every method may be called by any number of processes at once."""

    def __init__(self, folder: StudyFolder, is_read_only: bool = False) -> None:
        self.folder = folder
        self._storage = (read_journal if is_read_only else open_journal)(folder.journal)

    def _study_of(self, stage: str) -> int:
        """The Optuna study of a stage: its trials have one meaning, one range of parameters, one best value."""
        from optuna.study import StudyDirection

        name = optuna_study_name(self.folder.path.name, stage)
        try:
            return self._storage.get_study_id_from_name(name)
        except KeyError:
            return self._storage.create_new_study([StudyDirection.MAXIMIZE], name)

    def trials(self) -> list[Trial]:
        """Every attempt in the order in which they were enqueued.

        Raises:
            CdkdError: the study holds a trial that cdkd did not put there.
        """
        attempts: Counter[str] = Counter()
        shown = []
        # An attempt's number is counted and not stored, so that no two processes have to agree on it.
        for frozen in self._frozen_trials():
            attributes = frozen.user_attrs
            if "task" not in attributes:
                raise CdkdError(
                    f"{self.folder.journal}: trial {frozen.number} has no task; this journal is cdkd's own: "
                    "remove the study's folder to start afresh"
                )
            task = _task_of(frozen)
            attempts[task.id] += 1
            shown.append(self._show(frozen, task, attempts[task.id]))
        return shown

    def _frozen_trials(self) -> "list[FrozenTrial]":
        """The trials of all stages, in the order in which they were enqueued."""
        studies = [study._study_id for study in self._storage.get_all_studies()]
        # Not copied, since they are only read.
        found = [trial for study in studies for trial in self._storage.get_all_trials(study, deepcopy=False)]
        # Its id is unique in the journal and grows; its number counts from 0 in every stage's study.
        return sorted(found, key=lambda trial: trial._trial_id)

    def _show(self, frozen: "FrozenTrial", task: QueuedTask, attempt: int) -> Trial:
        attributes = frozen.user_attrs
        return Trial(
            number=frozen._trial_id,
            task=task,
            status=self._status(frozen),
            attempt=attempt,
            run_id=attributes.get("run_id"),
            metrics=attributes.get("metrics", {}),
            error=attributes.get("error", ""),
            token=attributes.get("token", ""),
            reused_from=attributes.get("reused_from", ""),
            started=frozen.datetime_start,
            ended=frozen.datetime_complete,
            worker=attributes.get("worker", ""),
        )

    def _status(self, frozen: "FrozenTrial") -> RunStatus:
        from optuna.trial import TrialState

        if frozen.state == TrialState.WAITING:
            return "waiting"
        if frozen.state == TrialState.RUNNING:
            # No heartbeat and no timeout: the kernel knows at once whether the holder lives.
            return "stale" if is_free(self.folder.lock(frozen._trial_id)) else "running"
        if frozen.state == TrialState.COMPLETE:
            return "diverged" if _noted(frozen, "status") == "diverged" else "finished"
        # Optuna has one state for both.
        return "stale" if _noted(frozen, "is_stale") else "failed"

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
        with FileLock(self.folder.queue_lock):
            latest = self.latest()
            added = []
            for task in tasks:
                last = latest.get(task.id)
                is_wanted = (
                    last is None
                    or (last.is_done and task.id in once_more)
                    or (last.status == "failed" and retry_failed)
                    or (last.status == "stale" and last.ended is not None)
                )
                if is_wanted:
                    self._create(task)
                    added.append(task)
            return added

    def _create(self, task: QueuedTask) -> int:
        from optuna.trial import TrialState, create_trial

        # Parameters, labels and seed are what Optuna's own tools show; cdkd itself reads the task alone.
        kept = {name: value for name, value in vars(task).items() if name != "parameters"}
        labels = {f"labels.{axis}": label for axis, label in task.labels.items()}
        return self._storage.create_new_trial(
            self._study_of(task.stage),
            create_trial(
                state=TrialState.WAITING,
                user_attrs={"task": {**kept, "labels": dict(task.labels)}, "seed": task.seed, **labels},
                params=task.parameters.values,
                distributions=task.parameters.distributions,
            ),
        )

    def adopt(self, results: Iterable[tuple[QueuedTask, CellRun]]) -> dict[str, int]:
        """Settles tasks with the results that tracked runs have.

        Returns:
            Task id -> trial's number; without the tasks that a worker is at, whose own result counts then.
        """
        adopted = {}
        with FileLock(self.folder.queue_lock):
            latest = self.latest()
            for task, run in results:
                last = latest.get(task.id)
                if last is not None and last.status == "running":
                    continue
                # A waiting trial is taken as it is: with a second one beside it, a worker would train the cell all
                # the same.
                number = last.number if last is not None and last.status == "waiting" else self._create(task)
                lock = self._take(number)
                if lock is not None:
                    try:
                        self.settle_with(number, run)
                    finally:
                        lock.release()
                    adopted[task.id] = number
        return adopted

    def settle_with(self, number: int, run: CellRun) -> None:
        """Settles a trial that this process has taken with the result of a tracked run."""
        # (2): the result before the state. Killed in between, it is a stale trial with a closed run: recovery
        # finishes it.
        value, metrics = run.metrics.get("validation_top1", 0.0), dict(run.metrics)
        self.note(number, run_id=run.run_id, metrics=metrics, value=value, status=run.status, reused_from=run.study)
        self.finish(number, value)

    def claim(self, is_wanted: Callable[[QueuedTask], bool] = lambda task: True) -> Claim | None:
        """Takes the first waiting trial whose needs are met; None when there is none now.

        Args:
            is_wanted: whether a task may be taken; the queue may hold what an earlier sweep asked for.
        """
        latest = self.latest()
        # No lock around the search: two workers may find the same trial, and `_take` lets one of them have it.
        for trial in self.trials():
            if trial.status == "waiting" and _is_ready(trial.task, latest) and is_wanted(trial.task):
                lock = self._take(trial.number)
                if lock is not None:
                    return Claim(trial, lock)
        return None

    def _take(self, number: int) -> FileLock | None:
        """Sets a waiting trial running, under its lock; None when another process was first."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        # (1)
        lock = FileLock(self.folder.lock(number))
        if not lock.acquire():
            return None
        try:
            # False where it runs already, as Optuna's journal decides by the order of its lines.
            if self._storage.set_trial_state_values(number, TrialState.RUNNING):
                return lock
        except UpdateFinishedTrialError:
            pass
        except BaseException:
            lock.release()
            raise
        # Not ours: the trial has ended, or was running when its line came. Its file lock must not make it look alive.
        lock.release()
        return None

    def note(self, number: int, **attributes: Any) -> None:
        """Keeps attributes with a trial."""
        for name, value in attributes.items():
            self._storage.set_trial_user_attr(number, name, value)

    def finish(self, number: int, value: float) -> None:
        """Settles a trial as ended well. `value` is what Optuna's own tools show."""
        from optuna.trial import TrialState

        shown = value if math.isfinite(value) else 0.0
        self._storage.set_trial_state_values(number, TrialState.COMPLETE, [shown])

    def fail(self, number: int, error: str) -> None:
        """Settles a trial as failed."""
        from optuna.trial import TrialState

        self.note(number, error=error)
        self._storage.set_trial_state_values(number, TrialState.FAIL)

    def noted(self, number: int, name: str) -> Any:
        """One thing that was noted of a trial; None where it was not."""
        return _noted(self._storage.get_trial(number), name)

    def mark_stale(self, number: int) -> None:
        """Settles a trial whose process is gone, in a way that `trials` tells from a failure."""
        from optuna.trial import TrialState

        # Noted before the state, as a trial that has ended takes no more attributes.
        self.note(number, is_stale=True)
        self._storage.set_trial_state_values(number, TrialState.FAIL)

    def is_running(self, number: int) -> bool:
        """The storage has the trial as running, whether its process lives or not."""
        return self._storage.get_trial(number).state.name == "RUNNING"

    def enqueue_again(self, trial: Trial) -> None:
        """A fresh trial of a trial's task; the caller holds the queue's lock."""
        self._create(trial.task)


# What earlier versions called a trial's attributes and a task's fields; their journals stay readable.
_FORMER_NAMES = {"status": "ending", "is_stale": "is_lost", "stage_digest": "plan"}


def _noted(frozen: "FrozenTrial", name: str) -> Any:
    """An attribute of a trial; None where nobody noted it."""
    attributes = frozen.user_attrs
    return attributes.get(name, attributes.get(_FORMER_NAMES.get(name, name)))


def _task_of(frozen: "FrozenTrial") -> QueuedTask:
    """A task as its trial keeps it."""
    current = {former: name for name, former in _FORMER_NAMES.items()}
    values = {current.get(name, name): value for name, value in frozen.user_attrs["task"].items()}
    return QueuedTask(**values, parameters=Parameters(frozen.params, frozen.distributions))


def _is_ready(task: QueuedTask, latest: Mapping[str, Trial]) -> bool:
    # What is not in the queue needs no training: its result was there when the cell was enqueued.
    return task.needs is None or task.needs not in latest or latest[task.needs].is_done


def is_blocked(task: QueuedTask, latest: Mapping[str, Trial]) -> bool:
    """What the task needs failed, so that it cannot start."""
    return task.needs is not None and task.needs in latest and latest[task.needs].status == "failed"
