"""The processes that `torchrun` started for one run, as their environment tells them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from cdkd.errors import CdkdError
from cdkd.train.processes import ALONE, Processes

# One process may transcode a data set, or wait for another run to train the teacher, while the others wait for it.
_PATIENCE = timedelta(days=2)


class LaunchError(CdkdError):
    """The processes of a data-parallel run cannot work together as they were started."""


@contextmanager
def launched_processes(device: str) -> Iterator[Processes]:
    """This process's place among those of `torchrun --nproc-per-node N`; without torchrun it is alone.

    With `device` auto or cuda each takes the GPU of its local rank and they talk through NCCL, else through gloo.

    Raises:
        LaunchError: there are fewer GPUs on this machine than processes.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        yield ALONE
        return
    on_gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    if on_gpu:
        local = int(os.environ["LOCAL_RANK"])
        if local >= torch.cuda.device_count():
            raise LaunchError(
                f"process {local} of this machine finds {torch.cuda.device_count()} GPUs; start no more processes "
                "than GPUs (torchrun --nproc-per-node), or set runtime.device=cpu"
            )
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=_PATIENCE)
    try:
        yield Processes(int(os.environ["RANK"]), world_size)
    finally:
        dist.destroy_process_group()
