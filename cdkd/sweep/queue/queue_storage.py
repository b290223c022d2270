"""What the queue asks of the place that keeps its trials: their states, their attributes, and who still runs them.

    journal_storage.py     a file of this machine; a lock per running trial, which the kernel frees when its holder dies
    postgres_storage.py    a database that many machines reach; a heartbeat per running trial, written every minute
    grpc_storage.py        the same through Optuna's proxy, for more workers than the database takes connections

All keep Optuna studies, one per stage, so that every tool of Optuna's shows them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from cdkd.errors import CdkdError
from cdkd.sweep.queue.parameters import Parameters
from cdkd.sweep.queue.study_folder import StudyFolder

Result = TypeVar("Result")

HEARTBEAT_SECONDS, GRACE_SECONDS = 60.0, 300.0
"""Of databases: between two heartbeats; after the last one, until a process counts as dead."""
PATIENCE_SECONDS = 600.0
"""A server that is away for longer ends the process that needs it."""

STOP_ATTRIBUTE = "cdkd.stop"
"""Of an Optuna study: the last request that all who work on it end."""

State = Literal["WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL"]
"""Optuna's names of a trial's states."""


class StorageError(CdkdError):
    """The storage cannot be reached or used; no fault of the cell that ran meanwhile."""


class TrialTakenError(CdkdError):
    """The trial was settled by another process, which took this one for dead; its result is not wanted any more."""


@dataclass(frozen=True)
class StoredTrial:
    """A trial as the storage has it."""

    number: int
    """Unique over all stages of the study; later trials have larger ones."""
    state: State
    attributes: Mapping[str, Any]
    started: datetime | None
    ended: datetime | None


@dataclass(frozen=True)
class NewTrial:
    """A waiting trial to be made."""

    stage: str
    attributes: Mapping[str, Any]
    parameters: Parameters = field(default_factory=Parameters)


class Hold(Protocol):
    """Says to all others that this process runs a trial."""

    def keep_alive(self) -> None:
        """From now on until `release`, however long that takes."""

    def release(self) -> None:
        """The trial is settled, or given up."""


class QueueStorage(Protocol):
    """Trials of one study. An object belongs to one thread; processes share the storage behind it."""

    @property
    def place(self) -> str:
        """Where the trials are kept, for messages."""

    @property
    def shared_name(self) -> str:
        """Of what several machines reach, the same on all of them; empty where it is a file of this machine."""

    def exclusive(self, body: Callable[[], Result]) -> Result:
        """Runs `body`, which alone of all processes may add or settle trials meanwhile; it may run again on failure."""

    def changed(self) -> Sequence[StoredTrial]:
        """The trials that are new or may have changed since the last call, by number."""

    def forget(self) -> None:
        """The next `changed` tells of every trial again."""

    def alive(self, numbers: Collection[int]) -> set[int]:
        """Those of these running trials that somebody still runs."""

    def create(self, trials: Sequence[NewTrial]) -> list[int]:
        """Adds waiting trials; returns their numbers. Within `exclusive`."""

    def take(self, number: int) -> Hold | None:
        """Sets a waiting trial running; None when another process was first."""

    def take_first(self, candidates: Iterable[int]) -> tuple[int, Hold] | None:
        """Sets the first of these trials running that still waits; None when others have taken all that were tried."""

    def take_over(self, number: int) -> Hold | None:
        """The right to settle a trial whose process is gone; None when it lives, or another was first.

        Within `exclusive`.
        """

    def note(self, number: int, attributes: Mapping[str, Any]) -> None:
        """Keeps attributes with a trial.

        Raises:
            TrialTakenError: the trial has ended.
        """

    def report(self, number: int, step: int, value: float) -> None:
        """Keeps an intermediate value, of which Optuna draws learning curves. Raises as `note` does."""

    def settle(self, number: int, state: State, value: float | None = None) -> None:
        """Ends a trial. Raises as `note` does."""

    def parameters(self, number: int) -> Parameters:
        """What Optuna shows as the trial's parameters."""

    def keep(self, stage: str, name: str, value: Any) -> None:
        """Keeps something that all trials of a stage share."""

    def kept(self, stage: str, name: str) -> Any:
        """What was kept under this name; None where nothing was."""

    def ask_to_stop(self, request: Mapping[str, Any]) -> None:
        """Keeps a request to all who work on the study; does nothing where its folder alone reaches them."""

    def stop_request(self) -> Mapping[str, Any] | None:
        """The last one. From any thread.

        Raises:
            StorageError: at once, where the storage is away.
        """

    def remove(self) -> None:
        """Forgets the study for good, where its folder does not hold it: a journal goes with its folder."""


def take_one_of(take: Callable[[int], Hold | None], candidates: Iterable[int]) -> tuple[int, Hold] | None:
    """`QueueStorage.take_first` of a storage that takes one trial at a time; None: others have had all of them."""
    for number in candidates:
        hold = take(number)
        if hold is not None:
            return number, hold
    return None


def stored_studies(address: str) -> list[str]:
    """Names of the studies that a database keeps.

    Raises:
        StorageError: it cannot be reached, or is none.
    """
    if _is_proxy(address):
        from cdkd.sweep.queue.grpc_storage import studies_behind

        return studies_behind(address)
    from cdkd.sweep.queue.postgres_storage import studies_in

    return studies_in(address)


def _is_proxy(address: str) -> bool:
    return address.startswith("grpc:")


def open_storage(folder: StudyFolder, is_read_only: bool = False) -> QueueStorage:
    """The storage of a study: the database that its folder names, else the folder's journal.

    Args:
        folder: the study's.
        is_read_only: it is only looked at; a journal is then neither created, locked nor mended.

    Raises:
        StorageError: it cannot be reached, or holds something else.
    """
    address = folder.storage
    if address is None:
        from cdkd.sweep.queue.journal_storage import JournalQueueStorage

        return JournalQueueStorage(folder, is_read_only)
    if _is_proxy(address):
        from cdkd.sweep.queue.grpc_storage import GrpcQueueStorage

        return GrpcQueueStorage(address, folder.path.name)
    from cdkd.sweep.queue.postgres_storage import PostgresQueueStorage

    return PostgresQueueStorage(address, folder.path.name)
