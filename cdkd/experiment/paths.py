"""Where a run's shared products lie; imports no torch."""

from pathlib import Path

from cdkd.data.home import cdkd_home
from cdkd.settings import Experiment, teacher_identity

MODEL_NAME = "model.safetensors"


def teacher_folder(experiment: Experiment) -> Path:
    """The cache folder of the teacher that a run trains where no checkpoint is given."""
    return cdkd_home() / "teachers" / f"{experiment.teacher.arch}-{teacher_identity(experiment)}"


def has_teacher(experiment: Experiment) -> bool:
    """The run's teacher is ready: given as a checkpoint, or trained before, or not needed."""
    if not experiment.uses_teacher or experiment.teacher.checkpoint is not None:
        return True
    return (teacher_folder(experiment) / MODEL_NAME).exists()
