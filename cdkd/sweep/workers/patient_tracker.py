"""A tracking store as a sweep sees it: what is asked waits while the store is away, and a signal ends the waiting.

A write to a database that an exception cuts in two leaves its lock held. So the writing is done by a thread of its
own, which no signal reaches, and the main thread does nothing but wait, which it can stop at any moment.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as NotYet
from functools import partial
from pathlib import Path
from typing import TypeVar

from cdkd.run_status import RunStatus
from cdkd.sweep.interruption import raise_if_stopped, seconds_since_stop
from cdkd.tracking.store import StoreAway
from cdkd.tracking.store_sender import StoreSender, Tell
from cdkd.tracking.study_record import StageRecord
from cdkd.tracking.tracker import CellRun, LoggedEpoch, OpenRun, RunStart, Tracker

Result = TypeVar("Result")

_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_AFTER_STOP = 1.0
"""What one question to the store may take once the process was asked to stop, shielded or not."""


class PatientTracker:
    """Passes every call on to another tracker (see `Tracker`), and waits.

    Every method raises `StoreAway` where the process was asked to stop and the store does not answer soon.

    Args:
        tracker: does the work.
        tell: called when the store is away and when it is back.
    """

    def __init__(self, tracker: Tracker, tell: Tell) -> None:
        self._tracker = tracker
        self._sender = StoreSender(tell)
        self._is_away = False

    def _ask(self, operation: Callable[[], Result]) -> Result:
        if self._is_away:
            raise StoreAway("the tracking store does not answer")
        future = self._sender.submit(operation)
        seconds_of_stop = 0.0
        while True:
            try:
                return future.result(timeout=_SECONDS_BETWEEN_LOOKS)
            except NotYet:
                # A future of its own may have failed with a timeout.
                if future.done():
                    raise
                seconds_of_stop += _SECONDS_BETWEEN_LOOKS if seconds_since_stop() is not None else 0.0
                if seconds_of_stop > _SECONDS_AFTER_STOP:
                    self._is_away = True
                    self._sender.give_up()
                    raise_if_stopped()
                    raise StoreAway("the tracking store does not answer") from None

    def check(self) -> None:
        """See `Tracker`."""
        self._ask(self._tracker.check)

    def prepare(self, stages: Sequence[str]) -> None:
        """See `Tracker`."""
        self._ask(partial(self._tracker.prepare, stages))

    def describe(self, stage: str, record: StageRecord) -> None:
        """See `Tracker`."""
        self._ask(partial(self._tracker.describe, stage, record))

    def open(self, start: RunStart) -> str:
        """See `Tracker`."""
        return self._ask(partial(self._tracker.open, start))

    def log(self, run_id: str, history: Sequence[LoggedEpoch]) -> None:
        """See `Tracker`."""
        self._ask(partial(self._tracker.log, run_id, history))

    def attach(self, run_id: str, file: Path, folder: str = "") -> None:
        """See `Tracker`."""
        self._ask(partial(self._tracker.attach, run_id, file, folder))

    def keep_metadata(self, run_id: str, metadata: Mapping[str, str]) -> None:
        """See `Tracker`."""
        self._ask(partial(self._tracker.keep_metadata, run_id, metadata))

    def fetch_checkpoint(self, run_id: str, folder: Path) -> Path:
        """See `Tracker`."""
        return self._ask(partial(self._tracker.fetch_checkpoint, run_id, folder))

    def close(self, run_id: str, status: RunStatus, error: str = "") -> None:
        """See `Tracker`."""
        self._ask(partial(self._tracker.close, run_id, status, error))

    def kill_if_open(self, run_id: str) -> bool:
        """See `Tracker`."""
        return self._ask(partial(self._tracker.kill_if_open, run_id))

    def kill_by_token(self, token: str) -> bool:
        """See `Tracker`."""
        return self._ask(partial(self._tracker.kill_by_token, token))

    def open_runs(self, owner: str) -> list[OpenRun]:
        """See `Tracker`."""
        return self._ask(partial(self._tracker.open_runs, owner))

    def open_stages(self) -> list[str]:
        """See `Tracker`."""
        return self._ask(self._tracker.open_stages)

    def cell_runs(self, of_every_study: bool = False) -> dict[str, CellRun]:
        """See `Tracker`."""
        return self._ask(partial(self._tracker.cell_runs, of_every_study))

    def result_of(self, cell: str) -> CellRun | None:
        """See `Tracker`."""
        return self._ask(partial(self._tracker.result_of, cell))

    def adopt(self, run: CellRun, stage: str) -> None:
        """See `Tracker`."""
        self._ask(partial(self._tracker.adopt, run, stage))

    def admit(self, run_id: str) -> None:
        """See `Tracker`."""
        self._ask(partial(self._tracker.admit, run_id))

    def log_stage(self, stage: str, metrics: Mapping[str, float]) -> None:
        """See `Tracker`."""
        self._ask(partial(self._tracker.log_stage, stage, metrics))

    def close_stage(self, stage: str, status: RunStatus, files: Sequence[Path] = ()) -> None:
        """See `Tracker`."""
        self._ask(partial(self._tracker.close_stage, stage, status, files))

    def attach_to_stage(self, stage: str, files: Sequence[Path], folder: str = "") -> None:
        """See `Tracker`."""
        self._ask(partial(self._tracker.attach_to_stage, stage, files, folder))
