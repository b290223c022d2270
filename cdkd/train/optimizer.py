"""The optimizer and the learning rate of every step."""

from bisect import bisect_right
from math import cos, pi

import torch
from torch import nn

from cdkd.settings import OptimizerSettings

_WARMUP_START = 0.01


def learning_rate_factor(step: int, steps_per_epoch: int, settings: OptimizerSettings) -> float:
    """What the learning rate is multiplied by at a step (0-based): linear warm-up, then the schedule."""
    epoch = step / steps_per_epoch
    if epoch < settings.warmup_epochs:
        return _WARMUP_START + (1 - _WARMUP_START) * epoch / settings.warmup_epochs
    return _SCHEDULES[settings.schedule](epoch, settings)


def _cosine(epoch: float, settings: OptimizerSettings) -> float:
    length = max(settings.epochs - settings.warmup_epochs, 1e-9)
    return 0.5 * (1 + cos(pi * min((epoch - settings.warmup_epochs) / length, 1.0)))


def _step(epoch: float, settings: OptimizerSettings) -> float:
    return float(0.1 ** bisect_right(settings.step_epochs, epoch))


def _constant(epoch: float, settings: OptimizerSettings) -> float:
    return 1.0


_SCHEDULES = {"cosine": _cosine, "step": _step, "constant": _constant}


def build_optimizer(network: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """SGD or AdamW over the trainable parameters; biases and normalisation parameters are not decayed."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return _OPTIMIZERS[settings.optimizer](groups, settings)


def _sgd(groups: list[dict[str, object]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum)


def _adamw(groups: list[dict[str, object]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(settings.momentum, 0.999))


_OPTIMIZERS = {"sgd": _sgd, "adamw": _adamw}
