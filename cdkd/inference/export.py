"""A trained network in formats that run without this package, checked against itself."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from cdkd.errors import CdkdError
from cdkd.inference.predict import read_preprocessing
from cdkd.models.complexity import student_shapes, teacher_shapes
from cdkd.models.weights.loading import load_model

TOLERANCE = 1e-4
"""Largest difference of logits that passes, relative to the largest logit."""
_EXAMPLE_BATCH, _CHECK_BATCH = 2, 3
_ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


class ExportError(CdkdError):
    """A network cannot be exported, or what was exported computes something else."""


@dataclass(frozen=True)
class Exported:
    """One written file, and how far its logits are from the network's."""

    format: str
    file: Path
    relative_difference: float
    """Largest difference of logits over the largest logit, on random inputs of another batch size."""


class _Logits(nn.Module):
    """The network's logits (B, K) alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


class _StudentLogits(_Logits):
    def forward(self, iframes: Tensor, motion: Tensor, residual: Tensor) -> Tensor:
        logits: Tensor = self.network(iframes, motion, residual).logits
        return logits


class _TeacherLogits(_Logits):
    def forward(self, frames: Tensor) -> Tensor:
        logits: Tensor = self.network(frames).logits
        return logits


def export_model(checkpoint: Path, folder: Path, formats: Sequence[str]) -> list[Exported]:
    """Writes `model.<suffix>` per format and `model.json`, which says what goes in and comes out, into a folder.

    Raises:
        ExportError: an unknown format, a missing package, or logits that differ by more than `TOLERANCE`.
        ModelError: the checkpoint is missing, damaged or foreign.
    """
    unknown = [name for name in formats if name not in _FORMATS]
    if unknown:
        raise ExportError(f"--format {unknown[0]}: unknown; known: {', '.join(_FORMATS)}")
    network, description = load_model(checkpoint)
    shapes = _shapes(checkpoint, description, network)
    wrapped = (_StudentLogits if "iframes" in shapes else _TeacherLogits)(network).eval()
    folder.mkdir(parents=True, exist_ok=True)
    example = {name: torch.randn(_EXAMPLE_BATCH, *shape) for name, shape in shapes.items()}
    batch = torch.export.Dim("batch")
    with torch.no_grad():
        program = torch.export.export(wrapped, (), example, dynamic_shapes={name: {0: batch} for name in example})
    generator = torch.Generator().manual_seed(0)
    check = {name: torch.randn(_CHECK_BATCH, *shape, generator=generator) for name, shape in shapes.items()}
    with torch.inference_mode():
        expected = wrapped(**check)
    found = [_export(name, folder, program, check, expected) for name in formats]
    metadata = {
        "inputs": {name: ["batch", *shape] for name, shape in shapes.items()},
        "output": "logits (batch, classes)",
    }
    kept = {key: description.get(key) for key in ("classes", "preprocessing", "architecture")}
    (folder / "model.json").write_text(json.dumps({**metadata, **kept}, indent=2) + "\n", encoding="utf-8")
    return found


def _shapes(checkpoint: Path, description: dict[str, Any], network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Input name to its shape without the batch axis."""
    settings = read_preprocessing(checkpoint, description)
    size, window = settings.input_size, cast(int, network.window)
    if description["architecture"]["kind"] == "student":
        shapes = student_shapes(1, settings.gops_per_clip, settings.frames_per_gop, window, size)
        names: tuple[str, ...] = ("iframes", "motion", "residual")
    else:
        names = ("frames",)
        shapes = teacher_shapes(1, settings.gops_per_clip * settings.frames_per_gop, window, size)
    return {name: shape[1:] for name, shape in zip(names, shapes, strict=True)}


def _export(
    name: str, folder: Path, program: torch.export.ExportedProgram, check: dict[str, Tensor], expected: Tensor
) -> Exported:
    file, logits = _FORMATS[name](program, folder, check)
    difference = float((logits.detach() - expected).abs().max() / expected.abs().max())
    if not difference <= TOLERANCE:
        raise ExportError(f"{file}: its logits differ from the network's by {difference:.1e}, more than {TOLERANCE:g}")
    return Exported(name, file, difference)


def _program(program: torch.export.ExportedProgram, folder: Path, check: dict[str, Tensor]) -> tuple[Path, Tensor]:
    file = folder / "model.pt2"
    torch.export.save(program, file)
    with torch.inference_mode():
        logits: Tensor = torch.export.load(file).module()(**check)
    return file, logits


def _onnx(program: torch.export.ExportedProgram, folder: Path, check: dict[str, Tensor]) -> tuple[Path, Tensor]:
    missing = [package for package in _ONNX_PACKAGES if find_spec(package) is None]
    if missing:
        raise ExportError(f"--format onnx needs {' and '.join(missing)}: pip install 'cdkd[export]'")
    import onnxruntime

    file = folder / "model.onnx"
    written = torch.onnx.export(program, dynamo=True, verbose=False)
    assert written is not None
    written.save(str(file), external_data=False)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {name: tensor.numpy() for name, tensor in check.items()})
    return file, torch.from_numpy(logits)


_FORMATS: dict[str, Callable[[torch.export.ExportedProgram, Path, dict[str, Tensor]], tuple[Path, Tensor]]] = {
    "onnx": _onnx,
    "program": _program,
}
