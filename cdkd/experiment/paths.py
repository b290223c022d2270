"""Where a run's shared products lie; imports no torch."""

from pathlib import Path

from cdkd.data.home import cdkd_home
from cdkd.settings import DistillSettings, EvaluationSettings, Experiment, cell_identity, teacher_identity

MODEL_NAME = "model.safetensors"


def teacher_folder(experiment: Experiment) -> Path:
    """The cache folder of the teacher that a run trains where no checkpoint is given."""
    return cdkd_home() / "teachers" / f"{experiment.teacher.arch}-{teacher_identity(experiment)}"


def has_teacher(experiment: Experiment) -> bool:
    """The run's teacher is ready: given as a checkpoint, or trained before, or not needed."""
    if not experiment.uses_teacher or experiment.teacher.checkpoint is not None:
        return True
    return (teacher_folder(experiment) / MODEL_NAME).exists()


def streams_of(experiment: Experiment) -> Experiment:
    """The run that trains the streams of `student.weights: pretrain`: no decoder, no teacher, one seed for all."""
    student = {"decoder": False, "head": "streams", "weights": "random", "attention_dim": 0, "gate": "softmax"}
    distill = {name: {"enabled": False} for name in ("spatial", "temporal", "logits")}
    return experiment.model_copy(
        update={
            "seed": 0,
            "student": experiment.student.model_copy(update=student),
            "distill": DistillSettings.model_validate(distill),
            "evaluation": EvaluationSettings(),
        }
    )


def streams_folder(experiment: Experiment) -> Path:
    """The cache folder of those streams."""
    return cdkd_home() / "streams" / f"{experiment.student.arch}-{cell_identity(streams_of(experiment))}"
