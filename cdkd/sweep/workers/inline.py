"""Runs a sweep's tasks one after the other in the sweep's own process, where a debugger can follow them."""

import time

from cdkd.sweep.queue.trial_queue import TrialQueue
from cdkd.sweep.workers.attempt import run_claim
from cdkd.sweep.workers.cell_runner import CellRunner
from cdkd.sweep.workers.interruption import shield
from cdkd.tracking.tracker import Tracker


class InlineWorker:
    """Stands where `cdkd.sweep.workers.pool.Workers` stands otherwise."""

    def __init__(self, queue: TrialQueue, tracker: Tracker, runner: CellRunner) -> None:
        self._queue = queue
        self._tracker = tracker
        self._runner = runner
        self._is_draining = False

    def __len__(self) -> int:
        return 1

    def start(self, count: int) -> None:
        """Nothing to start."""

    def watch(self) -> list[str]:
        """Nothing to watch."""
        return []

    def note_success(self) -> None:
        """Nothing to count."""

    def wait(self, seconds: float) -> None:
        """Runs the next task; waits where there is none now."""
        with shield():
            claim = None if self._is_draining else self._queue.claim()
        if claim is None:
            time.sleep(seconds)
        else:
            # Here and not in `start`: the sweep's loop waits between two looks, and this is where others work
            # meanwhile.
            run_claim(self._queue, claim, self._tracker, self._runner)

    def drain(self) -> None:
        """Runs no further task."""
        self._is_draining = True

    def has_ended(self) -> bool:
        """Between two calls nothing is under way."""
        return self._is_draining

    def stop(self) -> None:
        """Nothing to stop."""
