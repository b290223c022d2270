"""What makes a network faster or smaller to train without another result: `runtime`, and its processes' batch norm."""

import torch
from torch import nn

from cdkd.models.backbones.resnet import ResNet
from cdkd.settings import OptimizerSettings, RuntimeSettings
from cdkd.train.processes import Processes
from cdkd.train.sync_batch_norm import synchronise_batch_norms


def accelerate(
    network: nn.Module,
    runtime: RuntimeSettings,
    train: OptimizerSettings,
    processes: Processes,
    device: torch.device,
) -> nn.Module:
    """Moves a freshly initialised network to its device and changes it in place; names of its weights stay."""
    network.to(device)
    if processes.world_size > 1 and train.sync_batch_norm:
        synchronise_batch_norms(network, device)
    if runtime.channels_last:
        network.to(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, ResNet):
            module.recompute = runtime.checkpoint_activations
    if runtime.compile:
        network.compile()
    return network


def accelerate_frozen(network: nn.Module, runtime: RuntimeSettings, device: torch.device) -> None:
    """The same for a network that only looks on."""
    network.to(device)
    if runtime.channels_last:
        network.to(memory_format=torch.channels_last)
    if runtime.compile:
        network.compile()
