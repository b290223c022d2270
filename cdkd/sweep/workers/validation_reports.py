"""Validations on the way to a cell's end: reported to its trial, and perhaps the reason to end it."""

from collections.abc import Callable, Mapping

from cdkd.callbacks import Log
from cdkd.metric_names import PRUNED_EPOCH, VALIDATION, VALIDATION_TOP1, current_name
from cdkd.settings import RunConfig
from cdkd.sweep.interruption import shield
from cdkd.sweep.queue.pruning import PastCurve, is_behind
from cdkd.sweep.queue.queue_storage import StorageError
from cdkd.sweep.queue.trial_queue import Trial, TrialQueue
from cdkd.tracking.tracker import Outcome


class Pruned(Exception):
    """A search ends the cell here; no failure.

    Args:
        outcome: what the cell has reached.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("pruned")
        self.outcome = outcome


class ValidationReports:
    """A log of epochs that passes them on, and asks the search's pruner at every validation but the last.

    Args:
        queue: of the trial.
        trial: that runs.
        config: what it runs.
        log: receives every epoch first.
    """

    def __init__(self, queue: TrialQueue, trial: Trial, config: RunConfig, log: Log) -> None:
        self._queue = queue
        self._trial = trial
        self._config = config
        self._log = log
        search = trial.task.search or {}
        self._pruner: str = search.get("pruner", "none")
        self._metric = current_name(search.get("metric", VALIDATION_TOP1))
        self._unsent: dict[int, float] = {}
        # What earlier attempts at the cell reported: their epochs are not run again.
        self._curve: dict[int, float] = self._earlier() if search else {}

    def __call__(self, metrics: dict[str, float], epoch: int) -> None:
        """One epoch.

        Raises:
            Pruned: the cell is behind the others of its search.
        """
        self._log(metrics, epoch)
        value = metrics.get(self._metric)
        if value is None:
            return
        self._curve[epoch] = value
        self._unsent[epoch] = value
        first, last = self._config.evaluation.every_epochs, self._config.train.epochs
        is_decided = self._pruner in ("median", "hyperband") and epoch < last
        try:
            with shield():
                self._send()
                others = self._others() if is_decided else []
        except StorageError:
            # Told with the next validation: that the queue is away must not end a training.
            return
        if is_decided and is_behind(self._pruner, self._curve, others, first, last):
            raise Pruned(Outcome("pruned", {**_only_validation(metrics), PRUNED_EPOCH: float(epoch)}))

    def _send(self) -> None:
        number = self._trial.number
        for epoch, value in list(self._unsent.items()):
            self._queue.report(number, epoch, value)
            del self._unsent[epoch]
        if self._trial.task.search is not None:
            # Optuna's own record of it differs from storage to storage; this one is cdkd's.
            self._queue.note(number, curve=list(self._curve.items()))

    def _earlier(self) -> dict[int, float]:
        found: dict[int, float] = {}
        for trial in self._queue.trials():
            if trial.task.id == self._trial.task.id and trial.number < self._trial.number:
                found |= _curve_of(self._queue, trial)
        return found

    def _others(self) -> list[PastCurve]:
        """The other cells of the search, each by its last attempt."""
        here = self._trial.task
        return [
            PastCurve(_curve_of(self._queue, trial), trial.status == "finished")
            for trial in self._queue.latest().values()
            if trial.task.stage == here.stage
            and trial.task.stage_digest == here.stage_digest
            and trial.task.id != here.id
            and trial.status not in ("waiting", "failed", "diverged")
        ]


def _curve_of(queue: TrialQueue, trial: Trial) -> dict[int, float]:
    return {int(step): float(value) for step, value in queue.noted(trial.number, "curve") or ()}


def _only_validation(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name.startswith(VALIDATION)}


def until_pruned(train: Callable[[], Outcome]) -> Outcome:
    """What a training comes to, where a search may end it."""
    try:
        return train()
    except Pruned as end:
        return end.outcome
