"""Progress callbacks: what a long piece of work calls while it goes on."""

from collections.abc import Callable
from typing import Literal, Protocol

Log = Callable[[dict[str, float], int], None]
"""Called once per epoch with all of its numbers, and the epoch from 1."""
Progress = Callable[[float], None]
"""Called with the share of the work that is done, 0 to 1."""

RunPhase = Literal["training", "testing"]
"""Testing takes its own time, at its own speed, when the last epoch is over."""


class RunProgress(Protocol):
    """Called by a run that trains and then tests."""

    def __call__(self, fraction: float, /, phase: RunPhase = "training") -> None:
        """The share of a phase that is done, 0 to 1."""


def silent(fraction: float, /, phase: RunPhase = "training") -> None:
    """Progress that nobody looks at."""
