"""Activation checkpointing: stages of ResNets keep their inputs only and compute the rest again for the gradient."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from cdkd.models.resnet import ResNet


def checkpoint_stages(network: nn.Module) -> None:
    """Makes every stage of every ResNet inside `network` a checkpoint, in training mode."""
    for module in list(network.modules()):
        if isinstance(module, ResNet):
            for stage in module.stages:
                stage.forward = _recomputed(stage, stage.forward)  # type: ignore[method-assign]


def _recomputed(stage: nn.Module, forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _unchanged_statistics(stage)

    def run(x: Tensor) -> Tensor:
        if not stage.training:
            return forward(x)
        out: Tensor = checkpoint(forward, x, use_reentrant=False, context_fn=contexts)
        return out

    return run


@contextmanager
def _unchanged_statistics(stage: nn.Module) -> Iterator[None]:
    """Batch norms see the same batch a second time here, and must not count it twice."""
    norms = [norm for norm in stage.modules() if isinstance(norm, _BatchNorm) and norm.training]
    # Recomputation stops as soon as the gradient has all it needs, so not every norm is met again.
    before = [(norm.momentum, _copy(norm.num_batches_tracked)) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and count is not None:
                norm.num_batches_tracked.copy_(count)


def _copy(count: Tensor | None) -> Tensor | None:
    return None if count is None else count.clone()
