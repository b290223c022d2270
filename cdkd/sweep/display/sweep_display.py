"""What a running sweep shows: a live display on a terminal, else one line per event."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from cdkd.sweep.display.running import Running

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class SweepStatus:
    """A sweep at one moment."""

    study: str
    num_cells: int
    num_done: int
    num_failed: int
    running: Sequence[Running] = ()
    seconds_left: float | None = None
    """Of what is planned now; None while nothing can be said."""
    open_stages: Sequence[str] = field(default_factory=tuple)
    """Stages whose cells are not known yet."""
    note: str = ""
    """Shown instead of counts while there is nothing to count."""
    num_diverged: int = 0
    """Of those that are done."""


class SweepDisplay(Protocol):
    """Receives what happens."""

    def log_event(self, text: str) -> None:
        """Something happened."""

    def show(self, status: SweepStatus) -> None:
        """How things stand now."""


def seconds_left(
    running: Sequence[Running], num_waiting: int, durations: Sequence[float], workers: int
) -> float | None:
    """Time until what is planned is done, if the waiting cells last as long as the others did or will."""
    estimates = [
        task.seconds + task.progress.seconds_left
        for task in running
        if task.progress and task.progress.seconds_left is not None
    ]
    known = [*durations, *estimates]
    if not running and not num_waiting:
        return None
    if not known or not workers:
        return None
    per_cell = sum(known) / len(known)
    under_way = sum(
        task.progress.seconds_left
        if task.progress and task.progress.seconds_left is not None
        else max(0.0, per_cell - task.seconds)
        for task in running
    )
    return (under_way + num_waiting * per_cell) / workers


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def headline(status: SweepStatus) -> str:
    """How things stand, in one line."""
    if status.note:
        return f"{status.study}: {status.note}"
    parts = [f"{status.study}: {status.num_done} of {status.num_cells} cells done"]
    if status.running:
        parts.append(f"{len(status.running)} running")
    if status.num_diverged:
        parts.append(f"{status.num_diverged} of them diverged")
    if status.num_failed:
        parts.append(f"{status.num_failed} failed")
    if status.seconds_left is not None:
        parts.append(f"{clock(status.seconds_left)} left")
    if status.open_stages:
        parts.append(f"then {', '.join(status.open_stages)}")
    return ", ".join(parts)


class LineDisplay:
    """One line per event; a line on how things stand once a minute."""

    def __init__(self, seconds_between: float = 60.0) -> None:
        self._seconds_between = seconds_between
        self._last_shown = time.monotonic()
        self._is_new = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def log_event(self, text: str) -> None:
        """See `SweepDisplay`."""
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    def show(self, status: SweepStatus) -> None:
        """See `SweepDisplay`."""
        # The first thing of all is told at once, so that there is something to see within a second.
        is_first, self._is_new = self._is_new and bool(status.note), False
        if is_first or time.monotonic() - self._last_shown >= self._seconds_between:
            self._last_shown = time.monotonic()
            self.log_event(headline(status))


class LiveDisplay:
    """A display that stays at the foot of the terminal; events scroll above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(), refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def log_event(self, text: str) -> None:
        """See `SweepDisplay`."""
        from rich.text import Text

        self._live.console.print(Text.assemble((time.strftime("%H:%M:%S "), "dim"), text))

    def show(self, status: SweepStatus) -> None:
        """See `SweepDisplay`."""
        self._live.update(_render(status, self._live.console.width))


_WIDTH_WITH_BARS = 110
"""Columns from which a cell's row has room for a bar beside its numbers and a label of usual length."""
_BAR, _MIN_LABEL = 20, 12


def _numbers(task: Running) -> tuple[str, ...]:
    left = task.progress.seconds_left if task.progress else None
    return (
        task.stage_text,
        "" if task.loss is None else f"loss {task.loss:.3f}",
        "" if task.validation is None else f"val {task.validation:.1f} %",
        f"{clock(task.seconds)} so far" if left is None else f"{clock(left)} left",
    )


def _render(status: SweepStatus, width: int) -> "RenderableType":
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    numbers = [_numbers(task) for task in status.running]
    has_bars = width >= _WIDTH_WITH_BARS
    rows = Table.grid(padding=(0, 1))
    # The label alone gives way: what is cut off it is least missed. (rich would take something from every column.)
    taken = sum(max(map(len, column)) + 1 for column in zip(*numbers, strict=True)) + (_BAR + 1) * has_bars
    rows.add_column(no_wrap=True, overflow="ellipsis", max_width=max(_MIN_LABEL, width - taken))
    for task, texts in zip(status.running, numbers, strict=True):
        fraction = task.progress.fraction if task.progress else 0.0
        bar = [ProgressBar(total=1.0, completed=fraction, width=_BAR)] if has_bars else []
        rows.add_row(f"  {task.label}", *bar, *texts)
    # A bar on its own ends no line; a row of a grid does.
    total = Table.grid()
    total.add_row(ProgressBar(total=max(1, status.num_cells), completed=status.num_done, width=min(60, width)))
    style = "bold red" if status.num_failed else "bold"
    return Group(Text(headline(status), style=style), total, rows)


def make_display() -> "LineDisplay | LiveDisplay":
    """A live display where somebody looks on, else lines."""
    return LiveDisplay() if sys.stdout.isatty() else LineDisplay()
