"""Trials in Optuna's journal, a file in the study's folder; who runs one holds its lock.

Locks of the kernel need every process on one machine, or on a file system that gives all machines real locks.
"""

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from cdkd.file_lock import FileLock, is_free
from cdkd.sweep.queue.parameters import Parameters
from cdkd.sweep.queue.queue_storage import (
    Hold,
    NewTrial,
    Result,
    State,
    StoredTrial,
    TrialTakenError,
    take_one_of,
)
from cdkd.sweep.queue.storage import JournalLock, optuna_study_name, require_journal
from cdkd.sweep.queue.study_folder import StudyFolder

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_CREATE_TRIAL = 4
"""Optuna's code of a line that adds a trial."""
_MANY = 100
"""From so many trials on, all are read at once instead of one by one."""


class JournalFile(BaseJournalBackend):
    """The journal's lines; remembers which trials those that were read are about.

    Optuna's own file takes a lock and waits for the disk at every line. Within `batch` all lines are written at once,
    under one lock: ten thousand new trials cost one write, and a process that dies before leaves none of them.
    """

    def __init__(self, path: Path, is_read_only: bool = False) -> None:
        self._path = path
        self._lock = JournalLock(path)
        self._depth = 0
        self._offset = 0
        """Where in the file the next line to be read begins."""
        self._unwritten: list[bytes] = []
        """Lines of the batch."""
        self._num_read_ahead = 0
        """So many of these were read already."""
        self.num_trials = 0
        """Lines were read that made so many."""
        self.touched: set[int] = set()
        """Trials that lines were read about; emptied by whoever looks at them."""
        self.is_ahead = False
        """Lines were read that could not be written: what was made of them has to be forgotten."""
        self._is_read_only = is_read_only
        if is_read_only:
            require_journal(path)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # For what the lock does besides: a torn line must go before the journal is read for the first time.
        with self.batch():
            path.touch()

    def start_again(self) -> None:
        """The next line to be read is the first."""
        self._offset, self.num_trials, self.touched, self.is_ahead = 0, 0, set(), False

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The lines that were not read before; Optuna asks for each of them once, in their order."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                # Being written just now, or torn: the next writer cuts it off.
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                yield self._read(line)
        # Behind all others: nobody else writes before the batch has ended.
        while self._num_read_ahead < len(self._unwritten):
            self._num_read_ahead += 1
            yield self._read(self._unwritten[self._num_read_ahead - 1])

    def _read(self, line: bytes) -> dict[str, Any]:
        log: dict[str, Any] = json.loads(line)
        if log["op_code"] == _CREATE_TRIAL:
            # As Optuna numbers them.
            self.touched.add(self.num_trials)
            self.num_trials += 1
        elif "trial_id" in log:
            self.touched.add(log["trial_id"])
        return log

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Writes lines, or keeps them until the batch ends."""
        with self.batch():
            self._unwritten += [json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs]

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Lines of the block are written together at its end, however it ends; no other process writes meanwhile."""
        if self._is_read_only:
            raise RuntimeError("this queue was opened for reading")
        if not self._depth:
            self._lock.acquire()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                try:
                    self._write()
                finally:
                    self._lock.release()

    def _write(self) -> None:
        lines, self._unwritten = self._unwritten, []
        # What this process has read ahead, it does not read again from the file.
        ahead, self._num_read_ahead = b"".join(lines[: self._num_read_ahead]), 0
        if lines:
            try:
                self._append(b"".join(lines))
            except OSError:
                self.is_ahead = True
                raise
        self._offset += len(ahead)

    def _append(self, text: bytes) -> None:
        """Writes lines; where the disk has no room for all of them, the first ones, as a process does that dies."""
        with self._path.open("ab", buffering=0) as file:
            size, done = file.seek(0, os.SEEK_END), 0
            try:
                while done < len(text):
                    done += file.write(text[done:])
                os.fsync(file.fileno())
            except OSError:
                # Whole lines stay, since others may have read them by now; they read none that has no end.
                file.truncate(size + text.rfind(b"\n", 0, done) + 1)
                raise


class _LockHold:
    """Holds a trial's lock."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock

    def keep_alive(self) -> None:
        """See `Hold`; the kernel sees to it."""

    def release(self) -> None:
        """See `Hold`."""
        self._lock.release()


class JournalQueueStorage:
    """See `QueueStorage`."""

    def __init__(self, folder: StudyFolder, is_read_only: bool = False) -> None:
        # Optuna would report each trial on standard error.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._folder = folder
        self._study = folder.path.name
        self._file = JournalFile(folder.journal, is_read_only)
        self._storage = JournalStorage(self._file)

    @property
    def _optuna(self) -> JournalStorage:
        if self._file.is_ahead:
            # It has taken in what could not be written.
            self._file.start_again()
            self._storage = JournalStorage(self._file)
        return self._storage

    @property
    def place(self) -> str:
        """See `QueueStorage`."""
        return str(self._folder.journal)

    @property
    def shared_name(self) -> str:
        """See `QueueStorage`."""
        return ""

    def exclusive(self, body: Callable[[], Result]) -> Result:
        """See `QueueStorage`; whoever only claims waits meanwhile, too."""
        with self._file.batch():
            return body()

    def changed(self) -> list[StoredTrial]:
        """See `QueueStorage`."""
        # Any question makes Optuna read the lines that are new; this one copies nothing.
        with suppress(KeyError):
            self._optuna.get_study_id_from_name("")
        touched, self._file.touched = self._file.touched, set()
        if len(touched) <= _MANY:
            return [_stored(self._optuna.get_trial(number)) for number in sorted(touched)]
        # Not copied, since they are only read.
        studies = self._optuna.get_all_studies()
        found = [trial for study in studies for trial in self._optuna.get_all_trials(study._study_id, deepcopy=False)]
        return sorted((_stored(trial) for trial in found if trial._trial_id in touched), key=lambda trial: trial.number)

    def forget(self) -> None:
        """See `QueueStorage`."""
        self._file.touched = set(range(self._file.num_trials))

    def alive(self, numbers: Collection[int]) -> set[int]:
        """See `QueueStorage`; no heartbeat and no timeout, the kernel knows at once."""
        return {number for number in numbers if not is_free(self._folder.lock(number))}

    def create(self, trials: Sequence[NewTrial]) -> list[int]:
        """See `QueueStorage`."""
        return [
            self._optuna.create_new_trial(
                self._study_of(trial.stage),
                create_trial(
                    state=TrialState.WAITING,
                    user_attrs=dict(trial.attributes),
                    params=trial.parameters.values,
                    distributions=trial.parameters.distributions,
                ),
            )
            for trial in trials
        ]

    def _study_of(self, stage: str) -> int:
        name = optuna_study_name(self._study, stage)
        try:
            return self._optuna.get_study_id_from_name(name)
        except KeyError:
            # Two processes cannot come here at once: whoever creates a trial is exclusive.
            return self._optuna.create_new_study([StudyDirection.MAXIMIZE], name)

    def take(self, number: int) -> Hold | None:
        """See `QueueStorage`."""
        # (1) of `trial_queue.py`
        lock = FileLock(self._folder.lock(number))
        if not lock.acquire():
            return None
        try:
            # False where it runs already. The journal decides that in the order of its lines, the same for everybody.
            if self._optuna.set_trial_state_values(number, TrialState.RUNNING):
                return _LockHold(lock)
        except UpdateFinishedTrialError:
            pass
        except BaseException:
            lock.release()
            raise
        # Not ours: the trial has ended, or was running when its line came. Its file lock must not make it look alive.
        lock.release()
        return None

    def take_first(self, candidates: Iterable[int]) -> tuple[int, Hold] | None:
        """See `QueueStorage`; two processes may try the same trial, and `take` lets one of them have it."""
        return take_one_of(self.take, candidates)

    def take_over(self, number: int) -> Hold | None:
        """See `QueueStorage`."""
        lock = FileLock(self._folder.lock(number))
        # A worker that is alive after all, or another process that settles it.
        if not lock.acquire():
            return None
        # Asked under the lock: another process may have settled it and let go.
        if self._optuna.get_trial(number).state != TrialState.RUNNING:
            lock.release()
            return None
        return _LockHold(lock)

    def note(self, number: int, attributes: Mapping[str, Any]) -> None:
        """See `QueueStorage`."""
        with self._file.batch(), _taken_is_told(number):
            for name, value in attributes.items():
                self._optuna.set_trial_user_attr(number, name, value)

    def report(self, number: int, step: int, value: float) -> None:
        """See `QueueStorage`."""
        with _taken_is_told(number):
            self._optuna.set_trial_intermediate_value(number, step, value)

    def settle(self, number: int, state: State, value: float | None = None) -> None:
        """See `QueueStorage`."""
        with _taken_is_told(number):
            self._optuna.set_trial_state_values(number, TrialState[state], None if value is None else [value])

    def parameters(self, number: int) -> Parameters:
        """See `QueueStorage`."""
        trial = self._optuna.get_trial(number)
        return Parameters(trial.params, trial.distributions)

    def keep(self, stage: str, name: str, value: Any) -> None:
        """See `QueueStorage`."""
        self._optuna.set_study_user_attr(self._study_of(stage), name, value)

    def kept(self, stage: str, name: str) -> Any:
        """See `QueueStorage`."""
        wanted = optuna_study_name(self._study, stage)
        for study in self._optuna.get_all_studies():
            if study.study_name == wanted:
                return study.user_attrs.get(name)
        return None

    def ask_to_stop(self, request: Mapping[str, Any]) -> None:
        """See `QueueStorage`."""

    def stop_request(self) -> None:
        """See `QueueStorage`."""

    def remove(self) -> None:
        """See `QueueStorage`; nothing is kept elsewhere."""


@contextmanager
def _taken_is_told(number: int) -> Iterator[None]:
    try:
        yield
    except UpdateFinishedTrialError as error:
        raise TrialTakenError(f"trial {number} was settled by another process") from error


def _stored(trial: "FrozenTrial") -> StoredTrial:
    # Its id is unique in the journal and grows; its number counts from 0 in every stage's study.
    state = cast("State", trial.state.name)
    return StoredTrial(trial._trial_id, state, trial.user_attrs, trial.datetime_start, trial.datetime_complete)
