"""The raw-domain network of a run: found by identity, or trained once and kept."""

from collections.abc import Callable
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor, nn

from cdkd.data.clips import ClipBatch
from cdkd.data.dataset import open_dataset
from cdkd.data.manifest import Part
from cdkd.data.sampling import ClipLayout
from cdkd.distill.objective import Loss, classification_loss
from cdkd.errors import CdkdError
from cdkd.experiment.inputs import ClipInputs, choose_device
from cdkd.experiment.paths import MODEL_NAME, teacher_folder
from cdkd.models.checkpoints import load_weights, save_model
from cdkd.models.teacher import FrozenTeacher, build_teacher
from cdkd.settings import Experiment, teacher_identity
from cdkd.train.engine import Plan, Task, fit
from cdkd.train.evaluate import evaluate
from cdkd.train.initial import initialise

Log = Callable[[dict[str, float], int], None]
Progress = Callable[[float], None]


class TeacherError(CdkdError):
    """The teacher cannot be trained or used as configured."""


def clip_stamps(experiment: Experiment) -> int:
    """T, the time stamps of a clip."""
    return experiment.data.gops_per_clip * experiment.data.frames_per_gop


def _build(experiment: Experiment, num_classes: int) -> nn.Module:
    return build_teacher(experiment.teacher, num_classes=num_classes, num_segments=clip_stamps(experiment))


def teacher_channels(experiment: Experiment) -> int:
    """C of the teacher's maps, which the student's decoded maps must match; builds no weights."""
    with torch.device("meta"):
        network = _build(experiment, num_classes=2)
    channels: int = network.num_features
    return channels


def load_teacher(experiment: Experiment, num_classes: int, device: torch.device, path: Path) -> FrozenTeacher:
    """The frozen teacher with the weights of a checkpoint.

    Raises:
        ModelError: the file is missing, damaged or belongs to another network.
    """
    network = _build(experiment, num_classes)
    load_weights(path, network)
    return FrozenTeacher(network).to(device)


def ensure_teacher(experiment: Experiment, log: Log, progress: Progress) -> Path:
    """The teacher's checkpoint: the one given, or the cached one of its identity, trained first where it is missing.

    Processes that need the same teacher wait for the one that trains it.
    """
    if experiment.teacher.checkpoint is not None:
        path = Path(experiment.teacher.checkpoint)
        if not path.exists():
            raise TeacherError(f"teacher.checkpoint: {path} does not exist; import one with `cdkd teacher import`")
        return path
    folder = teacher_folder(experiment)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "training.lock"):
        if not (folder / MODEL_NAME).exists():
            _train(experiment, folder, log, progress)
    return folder / MODEL_NAME


def _part(experiment: Experiment, parts: dict[str, int]) -> Part:
    wanted = experiment.teacher.part
    if wanted == "auto":
        return "pretrain" if "pretrain" in parts else "train"
    if wanted not in parts:
        raise TeacherError(
            f"teacher.part: {experiment.data.name} has no '{wanted}' part; use teacher.part=train, or teacher.checkpoint"
        )
    return wanted


def _train(experiment: Experiment, folder: Path, log: Log, progress: Progress) -> None:
    settings = experiment.teacher
    dataset = open_dataset(experiment.data)
    device = choose_device(experiment.runtime.device)
    torch.set_num_threads(experiment.runtime.num_threads)
    network = _build(experiment, dataset.num_classes)
    initialise(network, settings.seed)
    network.to(device)
    inputs = ClipInputs(experiment.model_copy(update={"seed": settings.seed}), dataset, device)
    layout = ClipLayout(
        experiment.data.gops_per_clip, experiment.data.frames_per_gop, student_window=0, teacher_window=network.window
    )
    part = _part(experiment, dataset.manifest.num_videos_per_part)
    source, held_out = inputs.source(part, layout), inputs.source("validation", layout)

    def loss(batch: ClipBatch, step: int) -> Loss:
        pictures, labels = inputs.training(batch, step)
        return classification_loss(network(pictures.frames).logits, labels, settings.train.label_smoothing)

    def predict(batch: ClipBatch, crop: int) -> Tensor:
        logits: Tensor = network(inputs.view(batch, crop).frames).logits
        return logits

    def validate() -> dict[str, float]:
        scores = evaluate(network, predict, held_out, experiment.evaluation)
        return {"validation_top1": scores.accuracy(1), "validation_top5": scores.accuracy(5)}

    task = Task(
        network,
        lambda epoch: source.training_batches(settings.seed, epoch, settings.train.batch_size),
        loss,
        validate,
    )
    plan = Plan(settings.train, settings.seed, device, folder, experiment.evaluation.every_epochs)
    metrics: dict[str, float] = {}

    def log_and_keep(values: dict[str, float], epoch: int) -> None:
        metrics.update(values)
        log(values, epoch)

    if fit(task, plan, log_and_keep, progress) == "diverged":
        raise TeacherError(
            f"the teacher's training diverged; lower teacher.train.learning_rate ({settings.train.learning_rate:g})"
        )
    description = {
        "role": "teacher",
        "identity": teacher_identity(experiment),
        "settings": settings.model_dump(mode="json"),
        "num_segments": clip_stamps(experiment),
        "trained_on": part,
        "validation_top1": metrics["validation_top1"],
        "classes": list(dataset.manifest.classes),
        **inputs.facts,
    }
    save_model(folder / MODEL_NAME, network, description)
