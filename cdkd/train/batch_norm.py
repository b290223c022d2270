"""How batch norms train: over the clips of all processes, or frozen as they started (partial batch norm)."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cdkd.models.backbones.resnet import ResNet


class _SumOverProcesses(torch.autograd.Function):
    """x summed over all processes; so is its gradient, since x entered every process's sum."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Any shape, the same one in every process."""
        # `all_reduce` writes into its argument, and x is still needed outside.
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """One gradient, of x's shape."""
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def _sum(x: Tensor) -> Tensor:
    total: Tensor = _SumOverProcesses.apply(x)
    return total


class CpuSyncBatchNorm(_BatchNorm):
    """What `nn.SyncBatchNorm` does, which refuses tensors on the CPU."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of axes behind the channels."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) to the same shape, normalised in training by mean and variance over all axes but C."""
        if not self.training:
            plain: Tensor = super().forward(x)
            return plain
        dims = [0, *range(2, x.dim())]
        shape = [1, -1] + [1] * (x.dim() - 2)
        # 1. How many values each channel has over all processes, whose batches may differ in size.
        count = torch.tensor(float(x.numel() // x.shape[1]))
        dist.all_reduce(count)
        # Two passes, as one would cancel digits where the mean is far from 0.
        # 2. Mean and variance (C,), in single precision; the sums over processes pass their gradients on.
        mean = _sum(x.float().sum(dims)) / count
        centred = x.float() - mean.view(shape)
        variance = _sum(centred.square().sum(dims)) / count
        # 3. The running variance is the unbiased one, as in torch's own; the one that normalises is not.
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        normalised: Tensor = centred * torch.rsqrt(variance + self.eps).view(shape)
        # The norm of a stream's input has neither.
        if self.affine:
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        return normalised.to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Mean and variance (C,) into the running statistics."""
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def synchronise_batch_norms(network: nn.Module, device: torch.device) -> None:
    """Makes every batch norm inside `network` a synchronised one; parameters, buffers and their names stay."""
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            # In place: a new module would have to take over parameters, buffers and hooks, and each parent its
            # reference.
            module.__class__ = CpuSyncBatchNorm  # type: ignore[assignment]


def frozen_norms(network: nn.Module) -> list[nn.Module]:
    """What partial batch norm freezes: all but those of the stems (of every ResNet the first, and its input's)."""
    norms: list[nn.Module] = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    stems = [norm for m in network.modules() if isinstance(m, ResNet) for norm in (m.input_norm, m.bn1)]
    # Networks that are no ResNet keep their first norm, which is where theirs begins.
    kept = stems or norms[:1]
    # A stem without input norm has an Identity in its place, which is no norm and matches none.
    return [norm for norm in norms if not any(norm is stem for stem in kept)]


def freeze_parameters(network: nn.Module) -> None:
    """Scales and shifts of the frozen norms ask for no gradient, so no optimizer and no weight decay touches them."""
    for norm in frozen_norms(network):
        norm.requires_grad_(False)


def freeze_statistics(network: nn.Module) -> None:
    """Puts the frozen norms into eval mode; to be called whenever the network went into training mode."""
    for norm in frozen_norms(network):
        norm.eval()
