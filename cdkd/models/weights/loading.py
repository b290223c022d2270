"""One call from a checkpoint to the network it describes."""

from pathlib import Path
from typing import Any

from torch import nn

from cdkd.config import ConfigError, build_record
from cdkd.models.errors import ModelError
from cdkd.models.student.student import build_student
from cdkd.models.teacher.teacher import build_teacher
from cdkd.models.weights.checkpoints import load_description, load_weights
from cdkd.settings import StudentSettings, TeacherSettings


def student_architecture(
    settings: StudentSettings, *, num_classes: int, num_gops: int, frames_per_gop: int, teacher_channels: int
) -> dict[str, Any]:
    """The `architecture` entry of a student's description: what `build_student` was given."""
    return {
        "kind": "student",
        "settings": settings.model_dump(mode="json"),
        "num_classes": num_classes,
        "num_gops": num_gops,
        "frames_per_gop": frames_per_gop,
        "teacher_channels": teacher_channels,
    }


def teacher_architecture(settings: TeacherSettings, *, num_classes: int, num_segments: int) -> dict[str, Any]:
    """The `architecture` entry of a teacher's description: what `build_teacher` was given."""
    return {
        "kind": "teacher",
        "settings": settings.model_dump(mode="json"),
        "num_classes": num_classes,
        "num_segments": num_segments,
    }


def load_model(path: Path, *, num_segments: int | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """A checkpoint's network, in eval mode, and its description.

    Args:
        path: written by `checkpoints.save_model` with an `architecture` entry of this module.
        num_segments: T of the clips a teacher will see, where it differs from the T it was saved with; TDN keeps
            the mixing weights of the T it was trained with.

    Raises:
        ModelError: no such file, a foreign file, or weights that do not fit the description.
    """
    description = load_description(path)
    try:
        network = _build(dict(description["architecture"]), num_segments)
    except (KeyError, TypeError, ConfigError) as error:
        raise ModelError(f"{path}: its description does not say how to build the network: {error}") from error
    load_weights(path, network)
    return network.eval(), description


def _build(architecture: dict[str, Any], num_segments: int | None) -> nn.Module:
    kind = architecture.pop("kind")
    settings = architecture.pop("settings")
    if kind == "student":
        return build_student(build_record(StudentSettings, settings), **architecture)
    if kind == "teacher":
        # A T of its own must not change what the network was trained with.
        if not settings.get("num_segments"):
            settings = {**settings, "num_segments": architecture["num_segments"]}
        if num_segments is not None:
            architecture["num_segments"] = num_segments
        return build_teacher(build_record(TeacherSettings, settings), **architecture)
    raise KeyError(f"kind {kind!r}")
