"""What a checkpoint says about itself: architecture, classes, and how videos become its input."""

import json
from typing import Any

from cdkd.data.manifest import Manifest
from cdkd.data.opening import OpenDataset
from cdkd.experiment.identity import cell_identity, teacher_identity
from cdkd.experiment.inputs import resolve_evaluation
from cdkd.experiment.teacher_geometry import num_time_steps, teacher_channels
from cdkd.models.weights.loading import student_architecture, teacher_architecture
from cdkd.settings import RunConfig


def student_description(config: RunConfig, dataset: OpenDataset, metadata: dict[str, str]) -> dict[str, Any]:
    """Of a student; JSON can hold it."""
    channels = teacher_channels(config)
    return {
        "role": "student",
        "identity": cell_identity(config),
        "experiment": json.loads(config.model_dump_json()),
        "architecture": student_architecture(
            config.student,
            num_classes=dataset.num_classes,
            num_gops=config.data.gops_per_clip,
            frames_per_gop=config.data.frames_per_gop,
            teacher_channels=channels,
        ),
        "teacher_channels": channels,
        "classes": list(dataset.manifest.classes),
        "preprocessing": _preprocessing(config, dataset.manifest),
        **metadata,
    }


def teacher_description(config: RunConfig, dataset: OpenDataset, metadata: dict[str, str]) -> dict[str, Any]:
    """Of a teacher; JSON can hold it."""
    return {
        "role": "teacher",
        "identity": teacher_identity(config),
        "architecture": teacher_architecture(
            config.teacher, num_classes=dataset.num_classes, num_segments=num_time_steps(config)
        ),
        "settings": config.teacher.model_dump(mode="json"),
        "num_segments": num_time_steps(config),
        "classes": list(dataset.manifest.classes),
        "preprocessing": _preprocessing(config, dataset.manifest),
        **metadata,
    }


def _preprocessing(config: RunConfig, manifest: Manifest) -> dict[str, Any]:
    """The fields of `cdkd.inference.predict.Preprocessing`."""
    data, evaluation = config.data, resolve_evaluation(config)
    return {
        "gops_per_clip": data.gops_per_clip,
        "frames_per_gop": data.frames_per_gop,
        "motion": data.motion,
        "input_size": data.input_size,
        "resize": evaluation.resize,
        "clips": evaluation.clips,
        "crops": evaluation.crops,
        "transcode": _transcode(manifest.settings),
    }


def _transcode(settings: dict[str, str]) -> dict[str, int] | None:
    """How the data set's videos were made; None where the manifest does not say it."""
    side = settings.get("shapes.frame_size")
    wanted = {
        "width": settings.get("width", side),
        "height": settings.get("height", side),
        "gop_length": settings.get("gop_length"),
        "quantiser": settings.get("quantiser"),
    }
    found = {name: int(text) for name, text in wanted.items() if text is not None}
    return found if len(found) == len(wanted) else None
