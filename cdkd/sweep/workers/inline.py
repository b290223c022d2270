"""Runs a sweep's tasks one after the other in the sweep's own process, where a debugger can follow them."""

import time

from cdkd.sweep.workers.cell_turn import CellTurn
from cdkd.sweep.workers.machine_trouble import MachineTrouble


class InlineWorker:
    """Stands where `cdkd.sweep.workers.pool.Workers` stands otherwise."""

    def __init__(self, turn: CellTurn) -> None:
        self._turn = turn
        self._trouble = MachineTrouble()
        self._is_draining = False

    def __len__(self) -> int:
        return 1

    def start_early(self) -> None:
        """Nothing to gain."""

    def start(self, count: int) -> None:
        """Nothing to start."""

    def watch(self) -> list[str]:
        """Nothing to watch."""
        return []

    def note_success(self) -> None:
        """Nothing to count."""

    def wait(self, seconds: float) -> None:
        """Runs the next task; waits where there is none now."""
        started = time.monotonic()
        # Here and not in `start`: the sweep's loop waits between two looks, and this is where others work meanwhile.
        if not self._is_draining and self._turn.run_next():
            time.sleep(self._trouble.seconds_to_wait(self._turn.reason, time.monotonic() - started))
        else:
            time.sleep(seconds)

    def drain(self) -> None:
        """Runs no further task."""
        self._is_draining = True

    def stop_at_checkpoint(self) -> None:
        """The task under way, if any, has ended already: it was asked by `cdkd.graceful_stop`, as this process is."""
        self._is_draining = True

    def has_ended(self) -> bool:
        """Between two calls nothing is under way."""
        return self._is_draining

    def leave(self) -> None:
        """Between two calls nothing is under way."""

    def stop(self) -> None:
        """Nothing to stop."""
