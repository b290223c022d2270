"""The optimizer and the learning rate of every step."""

from bisect import bisect_right
from math import cos, pi
from typing import Any

import torch
from torch import nn

from cdkd.settings import OptimizerSettings, StudentOptimizerSettings

_WARMUP_START = 0.01
_CLASSIFIERS = ("head.", "fc.")
"""How the names of a classifier's parameters begin, in students and in teachers."""
_DECODER = ("decoder.", "gate.")
"""The same of pseudo-decoder and gate."""


def learning_rate_factor(step: int, steps_per_epoch: int, settings: OptimizerSettings) -> float:
    """What the learning rate is multiplied by at a step (0-based): linear warm-up, then the schedule."""
    epoch = step / steps_per_epoch
    if epoch < settings.warmup_epochs:
        return _WARMUP_START + (1 - _WARMUP_START) * epoch / settings.warmup_epochs
    return _SCHEDULES[settings.schedule](epoch, settings)


def _cosine(epoch: float, settings: OptimizerSettings) -> float:
    # All warm-up and no schedule is allowed, and must not divide by 0.
    length = max(settings.epochs - settings.warmup_epochs, 1e-9)
    return 0.5 * (1 + cos(pi * min((epoch - settings.warmup_epochs) / length, 1.0)))


def _step(epoch: float, settings: OptimizerSettings) -> float:
    # A tenth at each listed epoch that has begun.
    return float(0.1 ** bisect_right(settings.step_epochs, epoch))


def _constant(epoch: float, settings: OptimizerSettings) -> float:
    return 1.0


_SCHEDULES = {"cosine": _cosine, "step": _step, "constant": _constant}


def build_optimizer(
    network: nn.Module, settings: OptimizerSettings, auxiliary: nn.Module | None = None
) -> torch.optim.Optimizer:
    """SGD or AdamW over the trainable parameters, in groups that share a learning rate and a weight decay.

    Biases and normalisation parameters are not decayed unless `decay_all`. Every group's `initial_lr` holds what the
    schedule multiplies.

    Args:
        network: what is trained.
        settings: how.
        auxiliary: trained along with it.
    """
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    along = auxiliary.named_parameters() if auxiliary is not None else ()
    for name, parameter in (*network.named_parameters(), *along):
        if not parameter.requires_grad:
            continue
        # Biases, and scales and shifts of norms, have one axis.
        is_weight = parameter.dim() > 1
        rate = settings.learning_rate * _multiplier(name, is_weight, settings)
        decay = settings.weight_decay if is_weight or settings.decay_all else 0.0
        fresh: dict[str, Any] = {"params": [], "lr": rate, "initial_lr": rate, "weight_decay": decay}
        # Few groups, as each is a pass of its own through the optimizer. They come in the order of the parameters,
        # which a checkpoint of the optimizer goes by.
        groups.setdefault((rate, decay), fresh)["params"].append(parameter)
    return _OPTIMIZERS[settings.optimizer](list(groups.values()), settings)


def _multiplier(name: str, is_weight: bool, settings: OptimizerSettings) -> float:
    """Of the learning rate, for a parameter of this name."""
    if name.startswith(_CLASSIFIERS):
        return settings.classifier_weight_multiplier if is_weight else settings.classifier_bias_multiplier
    # Teachers have no such parts, so their settings do not speak of them.
    if name.startswith(_DECODER) and isinstance(settings, StudentOptimizerSettings):
        return settings.decoder_multiplier
    return 1.0


# Fused: one kernel for all of a group's parameters on a GPU, and one pass over each parameter on a CPU.
def _sgd(groups: list[dict[str, Any]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, fused=True)


def _adamw(groups: list[dict[str, Any]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(settings.momentum, 0.999), fused=True)


_OPTIMIZERS = {"sgd": _sgd, "adamw": _adamw}
