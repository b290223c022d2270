"""A task's metrics epoch by epoch, kept over its attempts, so that each attempt's run shows the whole curve once."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cdkd.atomic_write import atomic_write
from cdkd.metric_names import current_names
from cdkd.tracking.tracker import LoggedEpoch

Metrics = Mapping[str, float]
Send = Callable[[Sequence[LoggedEpoch]], None]
"""Receives epochs, oldest first."""


class Logbook:
    """Passes an attempt's metrics on, and before its first those that earlier attempts logged.

    A resumed run starts at its last checkpoint, which may lie before the last epoch that was logged. So the epochs
    before the first one that it logs anew are taken from the book, and the others are forgotten: no epoch is ever
    logged twice in one run.

    Args:
        file: where the book is kept.
        send: receives epochs, oldest first; called after the file has them.
    """

    def __init__(self, file: Path, send: Send) -> None:
        self._file = file
        self._send = send
        # None once it has been passed on.
        self._past: list[LoggedEpoch] | None = read_book(file)
        self.last = self._past[-1] if self._past else LoggedEpoch(0, {})
        """The last epoch that this attempt, or before its first one an earlier attempt, has logged."""

    def log(self, metrics: Metrics, epoch: int) -> None:
        """Logs one epoch."""
        # The first epoch of this attempt tells where it resumed. Epochs from there on are computed again, to the same
        # numbers on a CPU but not on every GPU, so this attempt's count.
        if self._past is not None:
            kept = [entry for entry in self._past if entry.epoch < epoch]
            self._past = None
            # The file first: killed before the sending, the next attempt sends all of it to a run of its own.
            atomic_write(self._file, "".join(map(_line, kept)))
            if kept:
                self._send(kept)
        self.last = LoggedEpoch(epoch, metrics)
        # A line that a kill tears is dropped by `read_book`, and the rewriting above removes it before more is
        # appended.
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(_line(self.last))
        self._send([self.last])

    def close(self, final: Metrics | None = None) -> None:
        """Passes on what earlier attempts logged when this one had nothing left to log, then the final metrics.

        Final metrics count as the last epoch's; one that it logged itself, with the same value, is not repeated.
        """
        # The training had ended before: its process died between the last epoch and the test.
        if self._past:
            self._send(self._past)
        self._past = None
        logged = self.last.metrics
        new = {name: value for name, value in (final or {}).items() if logged.get(name) != value}
        if new:
            self._send([LoggedEpoch(self.last.epoch, new)])


def _line(entry: LoggedEpoch) -> str:
    return json.dumps({"epoch": entry.epoch, "metrics": dict(entry.metrics), "unix_ms": entry.unix_ms}) + "\n"


def read_book(file: Path) -> list[LoggedEpoch]:
    """The book's entries; a last line that a killed process left half written is no entry."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").split("\n")[:-1]
    # Books of earlier versions lack the time, and name metrics otherwise.
    entries = map(json.loads, lines)
    return [LoggedEpoch(**{**entry, "metrics": current_names(entry["metrics"])}) for entry in entries]
