"""A trained network in formats that run without this package, checked against itself."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from cdkd.errors import CdkdError
from cdkd.inference.preprocessing import read_preprocessing
from cdkd.models.complexity import student_shapes, teacher_shapes
from cdkd.models.student.student import StreamStudent
from cdkd.models.teacher.teacher import Teacher
from cdkd.models.weights.checkpoints import require_folder
from cdkd.models.weights.description import Description
from cdkd.models.weights.loading import load_model

TOLERANCE = 1e-4
"""Largest difference of logits that passes, relative to the largest logit."""
_EXAMPLE_BATCH, _CHECK_BATCH = 2, 3
_ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
ONNX_REMEDY = "pip install 'cdkd[export]'"


class ExportError(CdkdError):
    """A network cannot be exported, or what was exported computes something else."""


@dataclass(frozen=True)
class Exported:
    """One written file, and how far its logits are from the network's."""

    format: str
    file: Path
    relative_difference: float
    """Largest difference of logits over the largest logit, on random inputs of another batch size."""


class _StudentLogits(nn.Module):
    """A student's logits (B, K) alone."""

    def __init__(self, student: StreamStudent) -> None:
        super().__init__()
        self.student = student

    def forward(self, iframes: Tensor, motion: Tensor, residual: Tensor) -> Tensor:
        """Normalised iframes (B, G, 3, H, W), motion (B, T, F, 2, H, W), residual (B, T, F, 3, H, W)."""
        return self.student(iframes, motion, residual).logits


class _TeacherLogits(nn.Module):
    """A teacher's logits (B, K) alone."""

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self.teacher = teacher

    def forward(self, frames: Tensor) -> Tensor:
        """Normalised frames (B, T, F, 3, H, W)."""
        return self.teacher(frames).logits


def default_formats() -> tuple[str, ...]:
    """What is written where nobody asks for a format: `program`, and `onnx` where its packages are installed."""
    return ("program",) if _missing_for_onnx() else ("program", "onnx")


def export_model(checkpoint: Path, folder: Path, formats: Sequence[str]) -> list[Exported]:
    """Writes `model.<suffix>` per format and `model.json`, which says what goes in and comes out, into a folder.

    Raises:
        ExportError: an unknown format, a missing package, or logits that differ by more than `TOLERANCE`.
        ModelError: the checkpoint is missing, damaged or foreign, or the folder cannot be written.
    """
    unknown = [name for name in formats if name not in _FORMATS]
    if unknown:
        raise ExportError(f"--format {unknown[0]}: unknown; known: {', '.join(_FORMATS)}")
    missing = _missing_for_onnx() if "onnx" in formats else []
    if missing:
        raise ExportError(f"--format onnx needs {' and '.join(missing)}: {ONNX_REMEDY}")
    network, description = load_model(checkpoint)
    shapes = _shapes(checkpoint, description, network)
    wrapped = (_TeacherLogits(network) if isinstance(network, Teacher) else _StudentLogits(network)).eval()
    require_folder(folder)
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


def _shapes(checkpoint: Path, description: Description, network: StreamStudent | Teacher) -> dict[str, tuple[int, ...]]:
    """Input name to its shape without the batch axis."""
    settings = read_preprocessing(checkpoint, description)
    gops, frames, size = settings.gops_per_clip, settings.frames_per_gop, settings.view.crop_size
    if isinstance(network, Teacher):
        names: tuple[str, ...] = ("frames",)
        shapes = teacher_shapes(1, gops * frames, network.window, size)
    else:
        names = ("iframes", "motion", "residual")
        shapes = student_shapes(1, gops, frames, network.window, size)
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


def _missing_for_onnx() -> list[str]:
    return [package for package in _ONNX_PACKAGES if find_spec(package) is None]


def _onnx(program: torch.export.ExportedProgram, folder: Path, check: dict[str, Tensor]) -> tuple[Path, Tensor]:
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
