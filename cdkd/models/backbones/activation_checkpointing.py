"""Activations computed twice instead of kept: less memory for the backward pass, the same numbers."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import cast

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Batch norms inside normalise as before, but leave their running statistics alone."""
    norms = [norm for norm in module.modules() if isinstance(norm, _BatchNorm) and norm.track_running_stats]
    # A copy, since the count is raised in place.
    saved = [(norm.momentum, cast(Tensor, norm.num_batches_tracked).clone()) for norm in norms]
    for norm in norms:
        # running = (1 - momentum) * running + momentum * batch: with 0 it stays what it is, to the bit.
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, saved, strict=True):
            norm.momentum = momentum
            cast(Tensor, norm.num_batches_tracked).copy_(batches)


def checkpointed(module: nn.Module, x: Tensor) -> Tensor:
    """`module(x)` of any shape, whose inner activations are computed again in the backward pass.

    The second computation must not count a second batch, hence `frozen_statistics`.
    """
    # The first context is that of the forward pass, the second that of the repetition. Dropout draws the same numbers
    # in both: torch keeps the generator's state.
    out: Tensor = checkpoint(
        module, x, use_reentrant=False, context_fn=lambda: (nullcontext(), frozen_statistics(module))
    )
    return out
