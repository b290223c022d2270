"""Checkpoints of a training in progress: a folder that appears whole or not at all."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cdkd.errors import CdkdError

_WEIGHTS, _STATE = "weights.safetensors", "state.pt"


class CheckpointError(CdkdError):
    """A checkpoint cannot be written or read; the text names the folder and the remedy."""


@dataclass(frozen=True)
class TrainingState:
    """Where a training stands: epochs done, its best validation so far, and the validation of what will be tested."""

    epoch: int
    best_metric: float | None = None
    best_epoch: int | None = None
    validation: dict[str, float] | None = None
    """Of the best epoch where that is kept, else the latest; None: none yet, or of an earlier version."""


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    # safetensors stores plain memory: channels-last weights have to be laid out in their own order first.
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def save_checkpoint(
    folder: Path, network: nn.Module, states: dict[str, Any], state: TrainingState, name: str = "last"
) -> None:
    """Writes weights (safetensors) and optimizer, scheduler, epoch beside them, replacing the one before.

    Random streams need no state: each is derived from the seed, the component and the step.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; the one before is still there.
    """
    fresh, target, old = folder / f".{name}.new", folder / name, folder / f".{name}.old"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # 1. Everything is written aside; a kill until it is complete leaves `target` as it was.
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        save_file(_tensors(network), fresh / _WEIGHTS)
        torch.save({"snapshot": vars(state), **states}, fresh / _STATE)
        # A kill between the two renames leaves `old`, which `_locate` still finds.
        #   2.  what a kill behind each line leaves:
        #       rename target to old        old (whole), fresh (whole): `old` is read
        #       rename fresh to target      target (new), old: `target` is read
        #       remove old                  target (new)
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            os.rename(target, old)
        os.rename(fresh, target)
        shutil.rmtree(old, ignore_errors=True)
    # Each library has an error of its own for a full disk.
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise CheckpointError(f"{folder}: checkpoint cannot be written ({error}); free space and run again") from error


def _locate(folder: Path, name: str) -> Path | None:
    # The newer first; `old` counts where a kill came between the two renames.
    for place in (folder / name, folder / f".{name}.old"):
        if (place / _STATE).exists():
            return place
    return None


def load_checkpoint(
    folder: Path, network: nn.Module, name: str = "last"
) -> tuple[TrainingState, dict[str, Any]] | None:
    """Loads the weights into `network`; the snapshot and the other states, or None where there is no checkpoint.

    Raises:
        CheckpointError: the files are damaged or belong to another network.
    """
    place = _locate(folder, name)
    if place is None:
        return None
    try:
        network.load_state_dict(load_file(place / _WEIGHTS))
        states = torch.load(place / _STATE, weights_only=True)
        # `weights_only`: a checkpoint is data, and reading it must not run code. "snapshot" is what files of all
        # versions call the state.
        return TrainingState(**states.pop("snapshot")), states
    except Exception as error:
        raise CheckpointError(f"{place}: damaged or foreign checkpoint ({error}); delete it to start anew") from error
