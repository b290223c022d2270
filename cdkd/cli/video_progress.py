"""How far a preparation is: a bar on a terminal, now and then a line elsewhere."""

import sys
import time
from types import TracebackType
from typing import Any, Self

import click

_SECONDS_BETWEEN_LINES = 30.0


class VideoProgress:
    """A context manager that is called with (videos done, videos in all, videos failed)."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: Any = None
        self._task: Any = None
        self._last_line_seconds = time.monotonic()

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            failed = TextColumn("{task.fields[failed]} broken")
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), failed)
            self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=None, failed=0)
        return self

    def __call__(self, done: int, total: int, failed: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, failed=failed)
            return
        now = time.monotonic()
        if done == total or now - self._last_line_seconds >= _SECONDS_BETWEEN_LINES:
            self._last_line_seconds = now
            click.echo(f"{self._title}: {done:,} of {total:,} videos, {failed:,} broken", err=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
