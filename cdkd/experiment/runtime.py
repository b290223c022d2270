"""`runtime` and torchrun become devices, processes and memory formats; none of it changes a result."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn

from cdkd.errors import CdkdError
from cdkd.models.backbones.resnet import checkpoint_activations
from cdkd.settings import OptimizerSettings, RuntimeSettings
from cdkd.train.batch_norm import synchronise_batch_norms
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


def accelerate(
    network: nn.Module,
    runtime: RuntimeSettings,
    train: OptimizerSettings,
    processes: Processes,
    device: torch.device,
) -> None:
    """Moves a freshly initialised network to its device and changes it in place; names of its weights stay."""
    network.to(device)
    if processes.world_size > 1 and train.sync_batch_norm:
        synchronise_batch_norms(network, device)
    if runtime.channels_last:
        _use_channels_last(network)
    checkpoint_activations(network, runtime.checkpoint_activations)
    if runtime.compile:
        network.compile()


def accelerate_frozen(network: nn.Module, runtime: RuntimeSettings, device: torch.device) -> None:
    """The same for a network that only looks on."""
    network.to(device)
    if runtime.channels_last:
        _use_channels_last(network)
    if runtime.compile:
        network.compile()


def _use_channels_last(network: nn.Module) -> None:
    """Of weights with four axes; those of 3-D convolutions, which video networks have, stay as they are."""
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.to(memory_format=torch.channels_last)
