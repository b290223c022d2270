"""The processes of one data-parallel training, and what they tell each other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

Row = TypeVar("Row")


@dataclass(frozen=True)
class Processes:
    """This process's place among those that share the clips of every step: clip i goes to process i mod world_size."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """The one process that logs and writes files."""
        return self.rank == 0

    def share(self, items: Tensor) -> Tensor:
        """This process's part of what lies along axis 0 for the clips of the whole step: (B, ...) to (B', ...)."""
        return items[self.rank :: self.world_size]

    def barrier(self) -> None:
        """Returns once every process has come here."""
        if self.world_size > 1:
            dist.barrier()

    def mean(self, tensor: Tensor) -> Tensor:
        """Mean over the processes, elementwise, without gradient; any shape."""
        if self.world_size == 1:
            return tensor
        # `all_reduce` writes into its argument.
        total = tensor.detach().clone()
        dist.all_reduce(total)
        return total / self.world_size

    def batch_mean(self, per_clip: Tensor) -> Tensor:
        """Mean over the clips of the whole step, without gradient where there are several processes; () from (B,)."""
        return self.mean(per_clip.mean())

    def all_clips(self, per_clip: Tensor) -> Tensor:
        """The clips of the whole step, with gradient; (B * world_size, ...) from (B, ...).

        A loss of all clips is the same in every process. Its gradient comes back from all of them and is averaged with
        the rest, so that it equals that of one process with the whole step.
        """
        if self.world_size == 1:
            return per_clip
        from torch.distributed.nn.functional import all_gather

        return torch.cat(all_gather(per_clip.contiguous()))  # type: ignore[no-untyped-call]

    def all_true(self, condition: Tensor) -> bool:
        """Whether a boolean () holds in every process."""
        # The mean of equal ones is exactly 1.
        return float(self.mean(condition.float())) == 1.0

    def gather(self, rows: Sequence[Row]) -> list[Row]:
        """The rows of all processes in the order of the whole, where each has every world_size-th row."""
        if self.world_size == 1:
            return list(rows)
        parts: list[list[Row]] = [[] for _ in range(self.world_size)]
        dist.all_gather_object(parts, list(rows))
        # Row i of the whole is the (i // world_size)-th of process i % world_size, as `share` dealt them out.
        return [parts[i % self.world_size][i // self.world_size] for i in range(sum(map(len, parts)))]

    @contextmanager
    def main_process_first(self, context: AbstractContextManager[object]) -> Iterator[None]:
        """All processes work while the first one holds `context`, for example a lock on what they make together."""
        # The others wait until the first one has the lock, and it keeps it until they are through:
        #
        #    first     take lock |barrier|  work  |barrier| give back
        #    others              |barrier|  work  |barrier|
        with context if self.is_main else nullcontext():
            self.barrier()
            yield
            self.barrier()

    def share_buffers(self, network: nn.Module) -> None:
        """Every process gets the first one's buffers: without `sync_batch_norm` the statistics differ."""
        if self.world_size > 1:
            # In the same order everywhere, as the networks are the same.
            for buffer in network.buffers():
                dist.broadcast(buffer, src=0)

    def wrap(self, module: nn.Module, device: torch.device, may_skip: bool = False) -> nn.Module:
        """`module` with its gradients averaged over the processes; the module itself where there is only one.

        Args:
            module: its forward pass ends in the loss, which decides what parameters have a gradient to exchange.
            device: of its parameters.
            may_skip: some parameters may get no gradient.
        """
        if self.world_size == 1:
            return module
        ids = [torch.cuda.current_device()] if device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(module, device_ids=ids, find_unused_parameters=may_skip)

    def unwrapped(self, wrapped: nn.Module) -> nn.Module:
        """What was given to `wrap`."""
        return wrapped.module if isinstance(wrapped, nn.parallel.DistributedDataParallel) else wrapped

    def no_sync(self, wrapped: nn.Module) -> Callable[[], AbstractContextManager[object]]:
        """Makes contexts in which the gradients of what `wrap` returned stay in this process."""
        return wrapped.no_sync if isinstance(wrapped, nn.parallel.DistributedDataParallel) else nullcontext


ALONE = Processes()
