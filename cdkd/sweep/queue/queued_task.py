"""A task, an attempt at it, and how the two are read from a stored trial and written to a new one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from cdkd.run_status import RunStatus, has_result, is_over
from cdkd.sweep.queue.cell_configuration import Configuration
from cdkd.sweep.queue.parameters import Parameters
from cdkd.sweep.queue.queue_storage import NewTrial, StoredTrial


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
    """The settings that the stage varies, for Optuna's tools."""
    configuration: Configuration = field(default_factory=Configuration)
    """What is to be run."""
    recipe: str = ""
    """The recipe that the configuration rests on, where there is one."""
    search: Mapping[str, Any] | None = None
    """`search_record` where a search has suggested the cell."""


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

    @property
    def is_over(self) -> bool:
        """It ended with a result, or pruned."""
        return is_over(self.status)


def new_trial(task: QueuedTask) -> NewTrial:
    """The waiting trial of a task."""
    # Parameters, labels and seed are what Optuna's own tools show; cdkd itself reads the task alone.
    kept = {name: value for name, value in vars(task).items() if name not in ("parameters", "configuration")}
    labels = {f"labels.{axis}": label for axis, label in task.labels.items()}
    attributes = {"task": {**kept, "labels": dict(task.labels)}, "seed": task.seed, **labels}
    attributes["configuration"] = task.configuration.reference
    return NewTrial(task.stage, attributes, task.parameters)


def status_of(stored: StoredTrial, is_alive: bool) -> RunStatus:
    """How a trial stands; `is_alive` counts for running ones alone."""
    if stored.state == "WAITING":
        return "waiting"
    if stored.state == "RUNNING":
        return "running" if is_alive else "stale"
    if stored.state == "PRUNED":
        return "pruned"
    if stored.state == "COMPLETE":
        return "diverged" if noted(stored.attributes, "status") == "diverged" else "finished"
    # Optuna has one state for both.
    return "stale" if noted(stored.attributes, "is_stale") else "failed"


# What earlier versions called a trial's attributes and a task's fields; their journals stay readable.
_FORMER_NAMES = {"status": "ending", "is_stale": "is_lost", "stage_digest": "plan"}


def noted(attributes: Mapping[str, Any], name: str) -> Any:
    """An attribute of a trial; None where nobody noted it."""
    return attributes.get(name, attributes.get(_FORMER_NAMES.get(name, name)))


def task_of(stored: StoredTrial) -> QueuedTask:
    """A task as its trial keeps it; without its parameters, which are Optuna's alone."""
    current = {former: name for name, former in _FORMER_NAMES.items()}
    return QueuedTask(**{current.get(name, name): value for name, value in stored.attributes["task"].items()})


def is_blocked(task: QueuedTask, latest: Mapping[str, Trial]) -> bool:
    """What the task needs failed, so that it cannot start."""
    return task.needs is not None and task.needs in latest and latest[task.needs].status == "failed"
