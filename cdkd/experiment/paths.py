"""Where a run's shared products lie; imports no torch."""

import shutil
from pathlib import Path

from cdkd.data.home import cdkd_home
from cdkd.distill.losses.table import LOSSES, DistillSettings
from cdkd.experiment.identity import cell_identity, teacher_identity
from cdkd.file_lock import FileLock
from cdkd.metric_names import VALIDATION_TOP1
from cdkd.models.weights.description import described_accuracies, load_description
from cdkd.settings import EvaluationSettings, RunConfig

MODEL_NAME = "model.safetensors"
SCORES_NAME = "scores.parquet"


def teacher_folder(config: RunConfig) -> Path:
    """The cache folder of the teacher that a run trains where no checkpoint is given."""
    return cdkd_home() / "teachers" / f"{config.teacher.arch}-{teacher_identity(config)}"


def has_teacher(config: RunConfig) -> bool:
    """The run's teacher is ready: given as a checkpoint, or trained before, or not needed."""
    if not config.uses_teacher or config.teacher.checkpoint is not None:
        return True
    return (teacher_folder(config) / MODEL_NAME).exists()


def take_teacher(config: RunConfig, checkpoint: Path) -> None:
    """Makes a copy of a file the teacher that a run trains elsewhere; what is there stays."""
    folder = teacher_folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    # The lock of who trains it.
    with FileLock(folder / "training.lock"):
        if not (folder / MODEL_NAME).exists():
            partial = folder / f"{MODEL_NAME}.part"
            shutil.copyfile(checkpoint, partial)
            partial.replace(folder / MODEL_NAME)


def teacher_validation(config: RunConfig) -> float | None:
    """Accuracy on validation videos, in percent, of the teacher that a run trains.

    None where it is not trained yet, given as a checkpoint, or not validated.
    """
    if not config.uses_teacher or config.teacher.checkpoint is not None or not has_teacher(config):
        return None
    return described_accuracies(load_description(teacher_folder(config) / MODEL_NAME)).get(VALIDATION_TOP1)


def streams_of(config: RunConfig) -> RunConfig:
    """The run that trains the streams of `student.weights: pretrain`: no decoder, no teacher, one seed for all."""
    student = {"decoder": False, "head": "streams", "weights": "random", "attention_dim": 0, "gate": "softmax"}
    distill = {name: {"enabled": False} for name in LOSSES}
    return config.model_copy(
        update={
            "seed": 0,
            "student": config.student.model_copy(update=student),
            "distill": DistillSettings.model_validate(distill),
            "evaluation": EvaluationSettings(),
        }
    )


def streams_folder(config: RunConfig) -> Path:
    """The cache folder of those streams."""
    return cdkd_home() / "streams" / f"{config.student.arch}-{cell_identity(streams_of(config))}"
