"""A run's log as text: its epochs, and what cdkd and the libraries beneath it have warned of meanwhile."""

import logging
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime

_MOST_LINES = 20_000
"""The first ones go when there are more."""
_LOGGERS = ("cdkd", "py.warnings")


class RunLog(logging.Handler):
    """Collects lines in memory from its construction on, until it is ended."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        for name in _LOGGERS:
            logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a message of a logger's."""
        self.add(f"{record.levelname.lower()}: {record.getMessage()}")

    def add(self, text: str) -> None:
        """Keeps a line, with the time (UTC)."""
        self._lines.append(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}")

    def add_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Keeps an epoch's metrics."""
        self.add(f"epoch {epoch}: {', '.join(f'{name} {value:.5g}' for name, value in metrics.items())}")

    def end(self) -> str:
        """Collects no more; returns all lines."""
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(self)
        return "".join(f"{line}\n" for line in self._lines)
