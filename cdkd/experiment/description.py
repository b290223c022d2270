"""What a checkpoint says about itself: architecture, classes, and how videos become its input."""

import json
from typing import Any

from cdkd.data.dataset import OpenDataset
from cdkd.data.manifest import Manifest
from cdkd.experiment.inputs import resolve_evaluation
from cdkd.experiment.teacher_geometry import clip_stamps, teacher_channels
from cdkd.models.loading import student_architecture, teacher_architecture
from cdkd.settings import Experiment, cell_identity, teacher_identity


def student_description(experiment: Experiment, dataset: OpenDataset, facts: dict[str, str]) -> dict[str, Any]:
    """Of a student; JSON can hold it."""
    channels = teacher_channels(experiment)
    return {
        "role": "student",
        "identity": cell_identity(experiment),
        "experiment": json.loads(experiment.model_dump_json()),
        "architecture": student_architecture(
            experiment.student,
            num_classes=dataset.num_classes,
            num_gops=experiment.data.gops_per_clip,
            frames_per_gop=experiment.data.frames_per_gop,
            teacher_channels=channels,
        ),
        "teacher_channels": channels,
        "classes": list(dataset.manifest.classes),
        "preprocessing": _preprocessing(experiment, dataset.manifest),
        **facts,
    }


def teacher_description(experiment: Experiment, dataset: OpenDataset, facts: dict[str, str]) -> dict[str, Any]:
    """Of a teacher; JSON can hold it."""
    return {
        "role": "teacher",
        "identity": teacher_identity(experiment),
        "architecture": teacher_architecture(
            experiment.teacher, num_classes=dataset.num_classes, num_segments=clip_stamps(experiment)
        ),
        "settings": experiment.teacher.model_dump(mode="json"),
        "num_segments": clip_stamps(experiment),
        "classes": list(dataset.manifest.classes),
        "preprocessing": _preprocessing(experiment, dataset.manifest),
        **facts,
    }


def _preprocessing(experiment: Experiment, manifest: Manifest) -> dict[str, Any]:
    """The fields of `cdkd.experiment.predict.Preprocessing`."""
    data, evaluation = experiment.data, resolve_evaluation(experiment)
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
