"""Trials behind Optuna's gRPC proxy: hundreds of workers share the few connections that it has to the database.

The proxy passes on what every storage of Optuna's can do, and no SQL. What is built of that here:

    claim       WAITING to RUNNING, which the database grants one process alone
    heartbeat   an attribute that changes; whoever looks counts on its own clock since when it has not
    recovery    RUNNING to FAIL, which again one process alone can do; it alone enqueues the task again
    exclusive   the lowest trial of the Optuna study `<study>.lock` that has not ended: who has set it RUNNING holds the
                lock, and ends it to give it back; it is taken from a holder that is dead like any other trial

A process killed between two writes leaves what a process of the journal's does; see (1) to (3) of `trial_queue.py`.
Enqueuing is one call per trial, so that large studies are put up sooner by a sweep that names the database itself.
"""

import os
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import optuna
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from cdkd.sweep.queue.heartbeat import Heartbeat
from cdkd.sweep.queue.parameters import Parameters
from cdkd.sweep.queue.patience import patiently
from cdkd.sweep.queue.queue_storage import (
    GRACE_SECONDS,
    HEARTBEAT_SECONDS,
    STOP_ATTRIBUTE,
    Hold,
    NewTrial,
    Result,
    State,
    StorageError,
    StoredTrial,
    TrialTakenError,
    take_one_of,
)
from cdkd.sweep.queue.storage import optuna_study_name

if TYPE_CHECKING:
    from optuna.storages import GrpcStorageProxy
    from optuna.trial import FrozenTrial

_STUDY_ATTRIBUTE, _LOCK_OF = "cdkd.study", "cdkd.lock"
"""Of an Optuna study: the cdkd study whose stage it is, or whose lock."""
_BEAT = "beat"
_SECONDS_BETWEEN_TRIES = 0.05
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class GrpcQueueStorage:
    """See `QueueStorage`.

    Args:
        address: `grpc://host:port`, perhaps with `?heartbeat=60&grace=300`.
        study: whose trials these are.

    Raises:
        StorageError: it is no such address, or nobody answers there.
    """

    def __init__(self, address: str, study: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.place, self._heartbeat_seconds, self._grace_seconds = _parse(address)
        self._proxy = _open(self.place)
        self._study = study
        self._studies: dict[str, int] = {}
        self._seen: dict[int, StoredTrial] = {}
        self._beats: dict[int, tuple[str, float]] = {}
        """Running trial -> its last beat, and when this process saw it first."""
        self._depth = 0

    @property
    def shared_name(self) -> str:
        """See `QueueStorage`; kept in the database, since one proxy may have several addresses."""
        lock = self._study_id("lock", _LOCK_OF)
        name = self._ask(lambda: self._proxy.get_study_user_attrs(lock)).get("cdkd.name")
        if name is None:
            # Two at once: both read what was written last.
            self._ask(lambda: self._proxy.set_study_user_attr(lock, "cdkd.name", f"grpc:{uuid4().hex}/{self._study}"))
            name = self._ask(lambda: self._proxy.get_study_user_attrs(lock))["cdkd.name"]
        return str(name)

    def _ask(self, question: Callable[[], Result]) -> Result:
        """Asks the proxy; waits for one that is away."""
        import grpc

        return patiently(question, (grpc.RpcError,), self.place, _words)

    def exclusive(self, body: Callable[[], Result]) -> Result:
        """See `QueueStorage`."""
        if self._depth:
            return body()
        number, hold = self._lock()
        self._depth += 1
        try:
            return body()
        finally:
            self._depth -= 1
            hold.release()
            self._settle(number, TrialState.COMPLETE)

    def _lock(self) -> tuple[int, Hold]:
        study = self._study_id("lock", _LOCK_OF)
        while True:
            waiting = [t for t in self._ask(partial(self._proxy.get_all_trials, study, False)) if t.state not in _ENDED]
            if not waiting:
                self._ask(partial(self._proxy.create_new_trial, study, create_trial(state=TrialState.WAITING)))
                continue
            first = min(waiting, key=lambda trial: trial._trial_id)
            if first.state == TrialState.WAITING:
                if (hold := self.take(first._trial_id)) is not None:
                    hold.keep_alive()
                    return first._trial_id, hold
            elif not self._is_alive(first):
                self._settle(first._trial_id, TrialState.FAIL)
            time.sleep(_SECONDS_BETWEEN_TRIES)

    def forget(self) -> None:
        """See `QueueStorage`."""
        self._seen = {}

    def changed(self) -> list[StoredTrial]:
        """See `QueueStorage`."""
        found = []
        for study in self._ask(self._proxy.get_all_studies):
            if study.user_attrs.get(_STUDY_ATTRIBUTE) == self._study:
                # What has ended is read once: the proxy's client keeps it.
                found += [_stored(t) for t in self._ask(partial(self._proxy.get_all_trials, study._study_id, False))]
        news = [
            trial for trial in sorted(found, key=lambda trial: trial.number) if self._seen.get(trial.number) != trial
        ]
        self._seen |= {trial.number: trial for trial in news}
        return news

    def alive(self, numbers: Collection[int]) -> set[int]:
        """See `QueueStorage`."""
        return {number for number in numbers if self._is_alive(self._trial(number))}

    def _is_alive(self, trial: "FrozenTrial") -> bool:
        beat = trial.user_attrs.get(_BEAT)
        # Set running by another program than this one.
        if beat is None:
            return True
        known, since = self._beats.get(trial._trial_id, (None, 0.0))
        if known != beat:
            self._beats[trial._trial_id] = beat, time.monotonic()
            return True
        return time.monotonic() - since <= self._grace_seconds

    def _trial(self, number: int) -> "FrozenTrial":
        return self._ask(partial(self._proxy.get_trial, number))

    def create(self, trials: Sequence[NewTrial]) -> list[int]:
        """See `QueueStorage`."""
        return [self._create(trial) for trial in trials]

    def _create(self, new: NewTrial) -> int:
        trial = create_trial(
            state=TrialState.WAITING,
            user_attrs=dict(new.attributes),
            params=new.parameters.values,
            distributions=new.parameters.distributions,
        )
        study = self._study_id(new.stage, _STUDY_ATTRIBUTE)
        return int(self._ask(partial(self._proxy.create_new_trial, study, trial)))

    def _study_id(self, stage: str, attribute: str) -> int:
        name = optuna_study_name(self._study, stage)
        if name not in self._studies:
            try:
                study = self._ask(partial(self._proxy.create_new_study, [StudyDirection.MAXIMIZE], name))
            except DuplicatedStudyError:
                study = self._ask(partial(self._proxy.get_study_id_from_name, name))
            self._ask(partial(self._proxy.set_study_user_attr, study, attribute, self._study))
            self._studies[name] = int(study)
        return self._studies[name]

    def take(self, number: int) -> Hold | None:
        """See `QueueStorage`."""
        try:
            # (1) of `trial_queue.py`: a trial that runs has a beat.
            self._beat(number)
            if self._ask(partial(self._proxy.set_trial_state_values, number, TrialState.RUNNING)):
                return Heartbeat(partial(self._beat, number), self._heartbeat_seconds)
        except UpdateFinishedTrialError:
            pass
        return None

    def take_first(self, candidates: Iterable[int]) -> tuple[int, Hold] | None:
        """See `QueueStorage`; two processes may try the same trial, and `take` lets one of them have it."""
        return take_one_of(self.take, candidates)

    def _beat(self, number: int) -> bool:
        # Threads beat as well, in which nobody waits for the proxy.
        is_beating = threading.current_thread() is not threading.main_thread()
        try:
            beat = partial(self._proxy.set_trial_user_attr, number, _BEAT, uuid4().hex)
            _at_once(beat) if is_beating else self._ask(beat)
        except UpdateFinishedTrialError:
            if is_beating:
                return False
            raise
        return True

    def take_over(self, number: int) -> Hold | None:
        """See `QueueStorage`; the lock keeps others from it."""
        trial = self._trial(number)
        is_dead = trial.state == TrialState.RUNNING and not self._is_alive(trial)
        return Heartbeat(lambda: False, self._heartbeat_seconds) if is_dead else None

    def note(self, number: int, attributes: Mapping[str, Any]) -> None:
        """See `QueueStorage`."""
        for name, value in attributes.items():
            _told(number, partial(self._ask, partial(self._proxy.set_trial_user_attr, number, name, value)))

    def report(self, number: int, step: int, value: float) -> None:
        """See `QueueStorage`."""
        _told(number, lambda: self._ask(partial(self._proxy.set_trial_intermediate_value, number, step, value)))

    def settle(self, number: int, state: State, value: float | None = None) -> None:
        """See `QueueStorage`."""
        values = None if value is None else [value]
        _told(number, lambda: self._ask(partial(self._proxy.set_trial_state_values, number, TrialState[state], values)))

    def _settle(self, number: int, state: TrialState) -> None:
        """Of the lock; another process may have been faster."""
        try:
            values = [0.0] if state in _ENDED[:1] else None
            self._ask(partial(self._proxy.set_trial_state_values, number, state, values))
        except UpdateFinishedTrialError:
            return

    def parameters(self, number: int) -> Parameters:
        """See `QueueStorage`."""
        trial = self._trial(number)
        return Parameters(trial.params, trial.distributions)

    def keep(self, stage: str, name: str, value: Any) -> None:
        """See `QueueStorage`."""
        study = self._study_id(stage, _STUDY_ATTRIBUTE)
        self._ask(partial(self._proxy.set_study_user_attr, study, name, value))

    def kept(self, stage: str, name: str) -> Any:
        """See `QueueStorage`."""
        study = self._study_id(stage, _STUDY_ATTRIBUTE)
        return self._ask(partial(self._proxy.get_study_user_attrs, study)).get(name)

    def ask_to_stop(self, request: Mapping[str, Any]) -> None:
        """See `QueueStorage`; kept with the lock, which all who work on the study share."""
        lock = self._study_id("lock", _LOCK_OF)
        self._ask(partial(self._proxy.set_study_user_attr, lock, STOP_ATTRIBUTE, dict(request)))

    def stop_request(self) -> Mapping[str, Any] | None:
        """See `QueueStorage`."""
        found = _at_once(partial(self._proxy.get_study_user_attrs, self._study_id("lock", _LOCK_OF)))
        return cast("Mapping[str, Any] | None", found.get(STOP_ATTRIBUTE))

    def remove(self) -> None:
        """See `QueueStorage`."""
        for study in self._ask(self._proxy.get_all_studies):
            if self._study in (study.user_attrs.get(_STUDY_ATTRIBUTE), study.user_attrs.get(_LOCK_OF)):
                self._ask(partial(self._proxy.delete_study, study._study_id))
        self._studies, self._seen = {}, {}


def studies_behind(address: str) -> list[str]:
    """See `stored_studies`."""
    place, *_ = _parse(address)
    names = {study.user_attrs.get(_STUDY_ATTRIBUTE) for study in _at_once(_open(place).get_all_studies)}
    return sorted(str(name) for name in names if name is not None)


def _parse(address: str) -> tuple[str, float, float]:
    """The address without what follows the question mark, and what that says: seconds of heartbeat and of grace."""
    example = "an address looks like grpc://host:13000"
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        raise StorageError(f"--storage: {address} names no port; {example}") from None
    if not host or port is None or parts.path.strip("/"):
        raise StorageError(f"--storage: {address} is no address of a proxy; {example}")
    given = {name: values[0] for name, values in parse_qs(parts.query).items()}
    try:
        heartbeat = float(given.get("heartbeat", HEARTBEAT_SECONDS))
        grace = float(given.get("grace", GRACE_SECONDS))
    except ValueError:
        raise StorageError("--storage: heartbeat and grace are numbers of seconds") from None
    if not 0 < 2 * heartbeat <= grace:
        raise StorageError("--storage: the grace period must be at least two heartbeats long")
    return f"grpc://{host}:{port}", heartbeat, grace


@lru_cache(maxsize=8)
def _open(place: str) -> "GrpcStorageProxy":
    parts = urlsplit(place)
    assert parts.hostname is not None and parts.port is not None, "parsed before"
    # Read at the import. With it, gRPC in a child that is about to become a worker may abort between fork and exec.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    try:
        import grpc  # noqa: F401
    except ImportError as error:
        raise StorageError(f"{place}: grpcio is not installed; pip install 'cdkd[grpc]'") from error
    from optuna.storages import GrpcStorageProxy

    # That it is experimental.
    with warnings.catch_warnings(action="ignore"):
        proxy = GrpcStorageProxy(host=parts.hostname, port=parts.port)
    try:
        proxy.wait_server_ready(timeout=10)
    except ConnectionError as error:
        raise StorageError(f"{place}: no proxy answers; see docs/cluster.md for how to start one") from error
    return proxy


def _at_once(question: Callable[[], Result]) -> Result:
    import grpc

    try:
        return question()
    except grpc.RpcError as error:
        raise StorageError(_words(error)) from error


def _told(number: int, write: Callable[[], Any]) -> None:
    try:
        write()
    except UpdateFinishedTrialError as error:
        raise TrialTakenError(f"trial {number} was settled by another process") from error


def _words(error: BaseException) -> str:
    details = getattr(error, "details", None)
    return str(details() if callable(details) else error).partition("\n")[0]


def _stored(trial: "FrozenTrial") -> StoredTrial:
    attributes = {name: value for name, value in trial.user_attrs.items() if name != _BEAT}
    state = cast("State", trial.state.name)
    return StoredTrial(trial._trial_id, state, attributes, trial.datetime_start, trial.datetime_complete)
