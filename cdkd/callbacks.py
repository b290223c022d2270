"""Progress callbacks: what a long piece of work calls while it goes on."""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from cdkd.metric_names import DATA_SECONDS, STEP_SECONDS, VALIDATION_SECONDS

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


SECONDS = {DATA_SECONDS: "data", STEP_SECONDS: "steps", VALIDATION_SECONDS: "validation"}
"""Metrics of an epoch that say where its time went, and what lists call them: the processor waiting for batches, all
else of the training, the validation."""


def seconds_text(metrics: Mapping[str, float]) -> str:
    """Where an epoch's time went, or a whole training's; "" where nobody measured it."""
    return ", ".join(f"{name} {metrics[key]:.1f} s" for key, name in SECONDS.items() if key in metrics)
