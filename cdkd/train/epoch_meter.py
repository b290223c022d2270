"""What an epoch's steps add up to: mean terms, seconds, and whether every loss was finite.

A GPU is given its work and goes on alone; whoever asks for a number makes the processor wait until all of it is done.
So everything is added up on the device, and asked for once in many steps:

    step         1  2  3  ...  50  51  ...  100  ...  last
    add          x  x  x  ...   x   x  ...    x  ...     x     no question asked
    all_finite                  ?             ?          ?     the processor waits
    means                                                ?
"""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from cdkd.metric_names import (
    DATA_SECONDS,
    DIVERGED_EPOCH,
    EPOCH_SECONDS,
    LAST_FINITE_LOSS,
    STEP_SECONDS,
    term_name,
)
from cdkd.train.processes import Processes

Batch = TypeVar("Batch")

STEPS_BETWEEN_CHECKS = 50
"""A training that diverges goes on for so many steps at most; nothing of them is kept."""


class StepLoss(Protocol):
    """What a step returns: the total (a scalar with gradient) and named terms for the log."""

    @property
    def total(self) -> Tensor:
        """(), minimised."""

    @property
    def terms(self) -> dict[str, Tensor | float]:
        """Each (), logged, averaged over the epoch."""


@dataclass(frozen=True)
class Divergence:
    """Where a training's loss ceased to be finite."""

    epoch: int
    """From 1."""
    step: int
    """Of that epoch, from 1."""
    last_finite_loss: float
    """Of the step before, in the process that was the first; NaN where the epoch's first step was it."""

    def __str__(self) -> str:
        last = f"; the last finite loss was {self.last_finite_loss:.4g}" if math.isfinite(self.last_finite_loss) else ""
        return f"the loss was not finite in epoch {self.epoch}, step {self.step}{last}"

    @property
    def metrics(self) -> dict[str, float]:
        """As logged."""
        last = {LAST_FINITE_LOSS: self.last_finite_loss} if math.isfinite(self.last_finite_loss) else {}
        return {DIVERGED_EPOCH: float(self.epoch), **last}


class EpochMeter:
    """Sums over the steps of one epoch.

    Args:
        device: of the losses.
        processes: that share the steps.
    """

    def __init__(self, device: torch.device, processes: Processes) -> None:
        self._device = device
        self._processes = processes
        self._sums: dict[str, Tensor | float] = {}
        self._num_steps = 0
        self._is_finite = torch.ones((), dtype=torch.bool, device=device)
        self._num_finite = torch.zeros((), dtype=torch.int64, device=device)
        self._last_finite = torch.full((), torch.nan, device=device)
        self._started = time.perf_counter()
        self.data_seconds = 0.0
        """That the processor waited for batches."""

    def waiting(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches; measures what it takes until each is there."""
        iterator = iter(batches)
        while True:
            started = time.perf_counter()
            try:
                batch = next(iterator)
            except StopIteration:
                return
            finally:
                self.data_seconds += time.perf_counter() - started
            yield batch

    def add(self, loss: StepLoss) -> None:
        """One step's loss; asks the device nothing."""
        self._num_steps += 1
        for name, term in loss.terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + term
        total = loss.total.detach().float()
        self._is_finite = self._is_finite & torch.isfinite(total)
        # Counted while it lasts, so that a late question still finds the very step.
        self._num_finite = self._num_finite + self._is_finite
        self._last_finite = torch.where(self._is_finite, total, self._last_finite)

    def all_finite(self) -> bool:
        """Whether every loss so far was finite, in every process; waits for the device, and for the processes."""
        # Asked of all: one that returned alone would leave the others waiting in their next exchange.
        return self._processes.all_true(self._is_finite)

    def divergence(self, epoch: int) -> Divergence:
        """Where the first loss that was not finite occurred; to be called by all processes once one has been found."""
        own = [(int(self._num_finite), float(self._last_finite))]
        step, last = min(self._processes.gather(own), key=lambda found: found[0])
        return Divergence(epoch, step + 1, last)

    def means(self) -> dict[str, float]:
        """Each term's mean over steps and processes, and the epoch's seconds as spent in this process."""
        values = [torch.as_tensor(term, device=self._device).float() for term in self._sums.values()]
        totals = self._processes.mean(torch.stack(values)).tolist()  # all in one exchange
        means = {term_name(name): total / self._num_steps for name, total in zip(self._sums, totals, strict=True)}
        # Read after the numbers are there: only then has a GPU done what the epoch has given it.
        seconds = time.perf_counter() - self._started
        means |= {EPOCH_SECONDS: seconds, DATA_SECONDS: self.data_seconds}
        return {**means, STEP_SECONDS: seconds - self.data_seconds}
