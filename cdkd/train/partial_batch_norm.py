"""Partial batch norm: behind the stems, batch norms keep the statistics, scales and shifts they started with."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cdkd.models.backbones.resnet import ResNet


def frozen_norms(network: nn.Module) -> list[nn.Module]:
    """All batch norms but those of the stems: of every ResNet the first one, and the norm of its input."""
    norms: list[nn.Module] = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    stems = [norm for m in network.modules() if isinstance(m, ResNet) for norm in (m.input_norm, m.bn1)]
    kept = stems or norms[:1]
    return [norm for norm in norms if not any(norm is stem for stem in kept)]


def freeze_parameters(network: nn.Module) -> None:
    """Scales and shifts of the frozen norms ask for no gradient, so no optimizer and no weight decay touches them."""
    for norm in frozen_norms(network):
        norm.requires_grad_(False)


def freeze_statistics(network: nn.Module) -> None:
    """Puts the frozen norms into eval mode; to be called whenever the network went into training mode."""
    for norm in frozen_norms(network):
        norm.eval()
