"""Activations computed twice instead of kept: less memory for the backward pass, the same numbers."""

from contextlib import nullcontext
from types import TracebackType
from typing import cast

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


class FrozenStatistics:
    """Context in which batch norms inside a module normalise as before, but leave their running statistics alone.

    It may be entered again and again, since a backward pass may be repeated, and inside itself.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._saved: list[list[tuple[_BatchNorm, float | None, Tensor]]] = []

    def __enter__(self) -> None:
        norms = [m for m in self._module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
        # A copy, since the count is raised in place.
        self._saved.append([(norm, norm.momentum, cast(Tensor, norm.num_batches_tracked).clone()) for norm in norms])
        for norm in norms:
            # running = (1 - momentum) * running + momentum * batch: with 0 it stays what it is, to the bit.
            norm.momentum = 0.0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for norm, momentum, batches in self._saved.pop():
            norm.momentum = momentum
            cast(Tensor, norm.num_batches_tracked).copy_(batches)


def checkpointed(module: nn.Module, x: Tensor) -> Tensor:
    """`module(x)` of any shape, whose inner activations are computed again in the backward pass.

    The second computation must not count a second batch, hence `FrozenStatistics`.
    """
    # The first context is that of the forward pass, the second that of the repetition. Dropout draws the same numbers
    # in both: torch keeps the generator's state.
    out: Tensor = checkpoint(
        module, x, use_reentrant=False, context_fn=lambda: (nullcontext(), FrozenStatistics(module))
    )
    return out
