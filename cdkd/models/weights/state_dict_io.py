"""Other projects' checkpoint files become plain state dicts; nothing in them is executed."""

import pickle
import re
from collections import Counter, OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cdkd.models.errors import ModelError
from cdkd.models.weights.checkpoints import load_tensors
from cdkd.models.weights.description import SUFFIX

# Harmless classes that training scripts leave in their containers: best accuracy as a numpy scalar, a scheduler's
# milestones as a Counter. Everything else that is not a tensor or a plain value is refused.
_NUMPY_SCALAR = np.float64(0).__reduce__()[0]
_HARMLESS: list[Any] = [
    Counter,
    OrderedDict,
    np.dtype,
    (_NUMPY_SCALAR, "numpy._core.multiarray.scalar"),
    (_NUMPY_SCALAR, "numpy.core.multiarray.scalar"),
    *(type(np.dtype(name)) for name in ("float64", "float32", "int64", "int32", "bool")),
]


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.pth`, `.pth.tar` or `.safetensors` file, without container and `module.` prefix.

    Raises:
        ModelError: no such file, unreadable, holding code, or holding no tensors.
    """
    if path.suffix == SUFFIX:
        return strip_prefix(load_tensors(path), "module.")
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"it holds an object of {found.group(1)}" if found else "it is no checkpoint of tensors"
        remedy = "only tensors and plain values are read from foreign files"
        raise ModelError(f"{path}: refused: {what}; {remedy}") from error
    except Exception as error:  # on damaged bytes the unpickler raises whatever it stumbles over
        raise ModelError(f"{path}: not a PyTorch checkpoint, or damaged: {error!r}") from error
    return strip_prefix(_tensors_of(content, path), "module.")


def _tensors_of(content: Any, path: Path) -> dict[str, Tensor]:
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content:
        raise ModelError(f"{path}: holds no state dict, but {type(content).__name__}")
    others = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if others:
        raise ModelError(f"{path}: holds no state dict: {', '.join(others[:5])} are no tensors")
    return {str(key): value for key, value in content.items()}


def strip_prefix(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """`state` without `prefix` where every key has it, else as it is."""
    if all(key.startswith(prefix) for key in state):
        return {key[len(prefix) :]: value for key, value in state.items()}
    return dict(state)
