"""What a run's checkpoint says about itself, written for whoever loads it, and what students repeat of a teacher's."""

import json
from pathlib import Path

from cdkd.data.manifest import Manifest
from cdkd.data.opening import OpenDataset
from cdkd.experiment.identity import cell_identity, teacher_identity
from cdkd.experiment.inputs import clip_words, resolve_evaluation
from cdkd.experiment.paths import SCORES_NAME
from cdkd.experiment.sizes import cost_metrics, num_time_steps, teacher_channels
from cdkd.inference.preprocessing import Preprocessing, VideoEncoding
from cdkd.metric_names import TEST_TOP1, former_name
from cdkd.models.weights.description import Description, described_accuracies, load_description
from cdkd.models.weights.loading import student_architecture, teacher_architecture
from cdkd.settings import RunConfig
from cdkd.tracking.tracker import CHECKPOINT, SCORES, Outcome

# A test of other videos or through other views is no figure to stand beside the run's own.
_SAME_TEST = ("dataset", "dataset_version", "split", "views", "num_test_videos")


def student_description(config: RunConfig, dataset: OpenDataset, metadata: dict[str, str]) -> Description:
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
        "preprocessing": _preprocessing(config, dataset.manifest).model_dump(mode="json"),
        **metadata,
    }


def teacher_description(config: RunConfig, dataset: OpenDataset, metadata: dict[str, str]) -> Description:
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
        "preprocessing": _preprocessing(config, dataset.manifest).model_dump(mode="json"),
        **metadata,
    }


def _preprocessing(config: RunConfig, manifest: Manifest) -> Preprocessing:
    data, evaluation = config.data, resolve_evaluation(config)
    return Preprocessing(
        gops_per_clip=data.gops_per_clip,
        frames_per_gop=data.frames_per_gop,
        sampling=data.sampling,
        motion=data.motion,
        residual=data.residual,
        input_size=data.input_size,
        resize=evaluation.resize,
        crop_size=evaluation.crop_size,
        keep_aspect=evaluation.keep_aspect,
        clips=evaluation.clips,
        crops=evaluation.crops,
        transcode=_encoding(manifest.settings),
    )


def _encoding(settings: dict[str, str]) -> VideoEncoding | None:
    """How the data set's videos were made; None where the manifest does not say it."""
    side = settings.get("shapes.frame_size")
    wanted = {
        "width": settings.get("width", side),
        "height": settings.get("height", side),
        "gop_length": settings.get("gop_length"),
        "quantiser": settings.get("quantiser"),
    }
    found = {name: int(text) for name, text in wanted.items() if text is not None}
    return VideoEncoding(**found) if len(found) == len(wanted) else None


def teacher_outcome(checkpoint: Path) -> Outcome:
    """What a teacher's training left behind: accuracies in percent, and the texts among its description as metadata.

    Raises:
        ModelError: the checkpoint is missing or foreign.
    """
    known = load_description(checkpoint)
    metadata = {
        name: value for name, value in known.items() if isinstance(value, str) and name not in ("format", "role")
    }
    metrics = described_accuracies(known) | cost_metrics(known)
    # A teacher that an earlier version trained, or that was imported, has none.
    scores = checkpoint.with_name(SCORES_NAME)
    artifacts = {CHECKPOINT: checkpoint} | ({SCORES: scores} if scores.exists() else {})
    return Outcome("finished", metrics, artifacts, metadata)


def teacher_metadata(config: RunConfig, metadata: dict[str, str], checkpoint: Path) -> dict[str, str]:
    """Accuracies and cost of a run's teacher, where it was tested as the run will be; else nothing.

    Nothing either of an imported checkpoint, which was never tested here, or of an ensemble, whose members' figures
    are not its own.

    Args:
        config: of the run.
        metadata: of the run's data set, split and views.
        checkpoint: the teacher's.
    """
    known = load_description(checkpoint)
    accuracies = described_accuracies(known)
    if TEST_TOP1 not in accuracies or config.teacher.members:
        return {}
    is_same_clip = clip_words(known["preprocessing"], config) == clip_words(config.data.model_dump(), config)
    if not is_same_clip or any(known.get(name) != metadata.get(name) for name in _SAME_TEST):
        return {}
    told = {former_name(name): value for name, value in accuracies.items()}
    told |= {name: known[name] for name in ("trained_on", "gmacs_per_view", "parameters") if name in known}
    return {f"teacher_{name}": str(value) for name, value in told.items()}
