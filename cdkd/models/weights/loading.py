"""One call from a checkpoint to the network it describes."""

from pathlib import Path

from cdkd.config import ConfigError, build_record
from cdkd.models.errors import ModelError
from cdkd.models.student.student import CoviarStudent, Student, build_student
from cdkd.models.teacher.teacher import Teacher, build_teacher
from cdkd.models.weights.checkpoints import load_weights
from cdkd.models.weights.description import Description, load_description
from cdkd.settings import StudentSettings, TeacherSettings


def student_architecture(
    settings: StudentSettings, *, num_classes: int, num_gops: int, frames_per_gop: int, teacher_channels: int
) -> Description:
    """The `architecture` entry of a student's description: what `build_student` was given."""
    return {
        "kind": "student",
        "settings": settings.model_dump(mode="json"),
        "num_classes": num_classes,
        "num_gops": num_gops,
        "frames_per_gop": frames_per_gop,
        "teacher_channels": teacher_channels,
    }


def teacher_architecture(settings: TeacherSettings, *, num_classes: int, num_segments: int) -> Description:
    """The `architecture` entry of a teacher's description: what `build_teacher` was given."""
    return {
        "kind": "teacher",
        "settings": settings.model_dump(mode="json"),
        "num_classes": num_classes,
        "num_segments": num_segments,
    }


def load_student(path: Path | str) -> Student | CoviarStudent:
    """A student as it was trained, in eval mode, on the CPU.

    It reads clips of G groups of pictures with P P-frames each, T = G * P: normalised `iframes` (B, G, 3, H, W),
    `motion` (B, T, F, 2, H, W) and `residual` (B, T, F, 3, H, W), as `cdkd.data.clips.transforms.prepare_inputs` makes
    them; F is its `window`. `cdkd.inference.predict.Predictor` does all of that for a video file.

        >>> import torch
        >>> student = load_student("student.safetensors")
        >>> clips = torch.zeros(2, 1, 3, 48, 48), torch.zeros(2, 6, 1, 2, 48, 48), torch.zeros(2, 6, 1, 3, 48, 48)
        >>> output = student(*clips)
        >>> output.logits.shape, output.decoded.shape
        (torch.Size([2, 12]), torch.Size([2, 6, 64, 3, 3]))

    Raises:
        ModelError: no such file, a foreign or damaged file, or one that holds a teacher.
    """
    network, _ = load_model(path)
    if not isinstance(network, Student | CoviarStudent):
        raise ModelError(f"{path}: holds a teacher, not a student; cdkd train student and cdkd sweep make students")
    return network


def load_teacher(path: Path | str, *, num_segments: int | None = None) -> Teacher:
    """A teacher, trained by this package or imported, in eval mode, on the CPU.

    It reads normalised frames (B, T, F, 3, H, W); F is its `window`, T its `num_segments`.

        >>> import torch
        >>> teacher = load_teacher("teacher.safetensors", num_segments=6)
        >>> output = teacher(torch.zeros(2, 6, teacher.window, 3, 48, 48))
        >>> output.logits.shape, output.maps.shape
        (torch.Size([2, 12]), torch.Size([2, 6, 64, 3, 3]))

    Args:
        path: the checkpoint.
        num_segments: T of the clips that it will see, where it differs from the T it was saved with; TDN keeps the
            mixing weights of the T it was trained with.

    Raises:
        ModelError: no such file, a foreign or damaged file, or one that holds a student.
    """
    network, _ = load_model(path, num_segments=num_segments)
    if not isinstance(network, Teacher):
        raise ModelError(
            f"{path}: holds a student, not a teacher; cdkd train teacher makes teachers, cdkd teacher import reads them"
        )
    return network


def load_model(
    path: Path | str, *, num_segments: int | None = None
) -> tuple[Student | CoviarStudent | Teacher, Description]:
    """A checkpoint's network, in eval mode, and its description.

    Args:
        path: written by `checkpoints.save_model` with an `architecture` entry of this module.
        num_segments: as of `load_teacher`; nothing to a student.

    Raises:
        ModelError: no such file, a foreign file, or weights that do not fit the description.
    """
    path = Path(path)
    description = load_description(path)
    try:
        network = _build(dict(description["architecture"]), num_segments)
    except (KeyError, TypeError, ConfigError) as error:
        raise ModelError(f"{path}: its description does not say how to build the network: {error}") from error
    load_weights(path, network)
    return network.eval(), description


def _build(architecture: Description, num_segments: int | None) -> Student | CoviarStudent | Teacher:
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
