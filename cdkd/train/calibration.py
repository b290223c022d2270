"""How strongly the losses of a training pull when it starts: norms of their gradients on the first batches."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cdkd.data.loading.steps import StepClips
from cdkd.distill.calibration import CROSS_ENTROPY, LossUnits
from cdkd.models.backbones.activation_checkpointing import FrozenStatistics
from cdkd.seeding import derive_seed
from cdkd.train.processes import Processes

NUM_UPDATES = 8
"""So many updates' batches are measured, or an epoch's where it has fewer."""
_FP16_SCALES = (2.0**16, 2.0**12, 2.0**8, 2.0**4, 1.0)


@dataclass(frozen=True)
class Calibration:
    """What is measured, by which gradient, and what is made of it."""

    units: LossUnits
    parts: Callable[[StepClips, int], Mapping[str, Tensor]]
    """(batch, step) -> the losses by name, () each, with gradient; no exchange with other processes at its end."""
    parameters: Sequence[nn.Parameter]
    """The weights at which the losses pull."""


@dataclass(frozen=True)
class Conditions:
    """Under which the measuring happens: those of the training's first steps."""

    seed: int
    processes: Processes
    autocast: Callable[[], AbstractContextManager[object]]
    is_half: bool
    """Gradients may underflow, as those of fp16 do."""
    accumulate_steps: int


def calibrate(
    calibration: Calibration, network: nn.Module, batches: Iterable[StepClips], num_batches: int, how: Conditions
) -> bool:
    """Fixes the units on the first batches of `network`, which is in training mode and stays as it is.

    What the processes of a data-parallel training measure is the gradient over the clips of all of them, and the same
    in each.

    Returns:
        False where a loss was not finite: such a training has diverged before its first step.

    Raises:
        CalibrationError: a loss does not pull at all.
    """
    norms = gradient_norms(calibration, network, batches, min(num_batches, NUM_UPDATES * how.accumulate_steps), how)
    if norms is None:
        return False
    calibration.units.fix(norms)
    return True


def gradient_norms(
    calibration: Calibration, network: nn.Module, batches: Iterable[StepClips], num_batches: int, how: Conditions
) -> list[dict[str, float]] | None:
    """Norms by name for each update of the first batches, as `LossUnits.fix` takes them; the network stays as it is.

    Returns:
        None where a loss was not finite.
    """
    with FrozenStatistics(network), _uncompiled(network):
        return _norms(calibration, batches, num_batches, how)


def _norms(
    calibration: Calibration, batches: Iterable[StepClips], num_batches: int, how: Conditions
) -> list[dict[str, float]] | None:
    names = (CROSS_ENTROPY, *calibration.units.wanted)
    norms: list[dict[str, float]] = []
    sums: dict[str, Tensor] = {}
    for step, batch in zip(range(num_batches), batches, strict=False):
        # As the training does: the first step then draws what it would have drawn without all this.
        rank = how.processes.rank
        torch.manual_seed(derive_seed(how.seed, "dropout", step, *([rank] if rank else [])))
        with how.autocast():
            parts = calibration.parts(batch, step)
        if not how.processes.all_true(torch.isfinite(torch.stack([parts[name] for name in names])).all()):
            return None
        for name in names:
            # The norm of an update's gradient, and not of each batch's: noise of small batches would count as pull.
            sums[name] = sums.get(name, 0.0) + _gradient(parts[name], calibration.parameters, how)
        if (step + 1) % how.accumulate_steps == 0 or step + 1 == num_batches:
            norms.append({name: float(total.norm()) for name, total in sums.items()})
            sums = {}
    return norms


def _gradient(part: Tensor, parameters: Sequence[nn.Parameter], how: Conditions) -> Tensor:
    """The gradient of a loss () over the clips of all processes, as one vector."""
    total = torch.zeros(())
    # The largest scale that overflows nowhere, as a gradient scaler would find it; others than fp16 need none.
    for scale in _FP16_SCALES if how.is_half else (1.0,):
        total = how.processes.mean(_own_gradient(part * scale, parameters)) / scale
        if bool(torch.isfinite(total).all()):
            break
    return total


def _own_gradient(part: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
    if not part.requires_grad:
        return torch.zeros(sum(parameter.numel() for parameter in parameters), device=part.device)
    # Not `backward`: what is measured must not stay with the parameters, nor start an exchange of gradients.
    gradients = torch.autograd.grad(part, parameters, retain_graph=True, allow_unused=True)
    return torch.cat(
        [
            (torch.zeros_like(parameter) if gradient is None else gradient).flatten().float()
            for gradient, parameter in zip(gradients, parameters, strict=True)
        ]
    )


def _uncompiled(network: nn.Module) -> AbstractContextManager[object]:
    """A compiled network runs as it was written: compiled backward passes give their memory away and run only once."""
    if all(module._compiled_call_impl is None for module in network.modules()):
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance
