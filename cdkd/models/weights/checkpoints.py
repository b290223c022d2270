"""Our own checkpoint format: one safetensors file that carries its description, and a readable JSON copy beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from cdkd.atomic_write import atomic_write
from cdkd.models.errors import ModelError
from cdkd.models.weights.description import FORMAT, SUFFIX


def require_output(path: Path, option: str = "--output") -> None:
    """Refuses a place for a checkpoint before the work that fills it.

    Raises:
        ModelError: another suffix, or a folder that cannot be made or written.
    """
    if path.suffix != SUFFIX:
        raise ModelError(f"{option} {path}: checkpoints end in {SUFFIX}")
    require_folder(path.parent, option)


def require_folder(folder: Path, option: str = "--output") -> None:
    """Makes a folder, and refuses one that cannot be written.

    Raises:
        ModelError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ModelError(f"{option} {folder}: cannot be written: {error.strerror}; name another place") from error


def save_model(path: Path, module: nn.Module, description: Mapping[str, Any]) -> None:
    """Writes the weights and what they are (architecture, classes, preprocessing); atomic, the JSON copy last.

    Args:
        path: ends in `.safetensors`; the JSON copy gets the same name with `.json`.
        module: the network; its whole state dict is stored.
        description: anything JSON can hold; `loading.load_model` needs its key `architecture`.

    Raises:
        ModelError: another suffix, a description that is no JSON, or a folder that cannot be written.
    """
    if path.suffix != SUFFIX:
        raise ModelError(f"{path}: checkpoints end in {SUFFIX}")
    try:
        text = json.dumps({"format": FORMAT, **description}, indent=2, sort_keys=True)
    except TypeError as error:
        raise ModelError(f"{path}: the description cannot be written as JSON: {error}") from error
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    _write(path, save(state, metadata={"description": text}))
    _write(path.with_suffix(".json"), (text + "\n").encode())


def _write(path: Path, content: bytes) -> None:
    try:
        atomic_write(path, content)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error}") from error


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a safetensors file, on the CPU.

    Raises:
        ModelError: no such file, or not safetensors.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a safetensors file, or cut short: {error}") from error


def load_weights(path: Path, module: nn.Module) -> None:
    """Fills `module` with the checkpoint's tensors; every name and shape must agree.

    Raises:
        ModelError: names what is missing, unknown or of another shape.
    """
    fill(module, load_tensors(path), str(path))


def fill(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Copies `state` into `module`, strictly, and only when all of it fits.

    Raises:
        ModelError: names what is missing, unknown or of another shape; `module` is unchanged.
    """
    own = module.state_dict()
    faults = [f"missing {name}" for name in own if name not in state]
    faults += [f"unknown {name}" for name in state if name not in own]
    faults += [
        f"{name} is {tuple(tensor.shape)}, the network has {tuple(own[name].shape)}"
        for name, tensor in state.items()
        if name in own and tensor.shape != own[name].shape
    ]
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise ModelError(f"{source}: does not fit the network: {'; '.join(faults[:5])}{more}")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(state[name])
