"""The raw-domain network of a run: found by identity, or trained once and kept."""

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from cdkd.callbacks import Log, Progress
from cdkd.data.clips.clip import ClipBatch
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.manifest import Part
from cdkd.data.opening import open_dataset
from cdkd.distill.objective import Loss
from cdkd.errors import CdkdError
from cdkd.experiment.acceleration import accelerate
from cdkd.experiment.costs import cost_metadata, teacher_cost
from cdkd.experiment.description import teacher_description
from cdkd.experiment.inputs import ClipInputs, choose_device
from cdkd.experiment.loss_modules import TeacherObjective
from cdkd.experiment.paths import MODEL_NAME, teacher_folder
from cdkd.experiment.teacher_geometry import build_own_teacher, num_time_steps, teacher_channels
from cdkd.file_lock import FileLock
from cdkd.models.teacher.ensemble import TeacherEnsemble
from cdkd.models.teacher.teacher import FrozenTeacher, Teacher
from cdkd.models.weights.checkpoints import save_model
from cdkd.models.weights.loading import load_model
from cdkd.models.weights.pretrained import load_pretrained
from cdkd.settings import RunConfig
from cdkd.train.engine import FitConfig, TrainingTask, fit
from cdkd.train.evaluate import evaluate
from cdkd.train.initial import initialise
from cdkd.train.processes import ALONE, Processes


class TeacherError(CdkdError):
    """The teacher cannot be trained or used as configured."""


def load_teacher(config: RunConfig, device: torch.device, path: Path) -> FrozenTeacher:
    """The frozen teacher of a checkpoint, together with `teacher.members` where there are any.

    It may know other classes than the student's: only logits distillation compares them.

    Raises:
        ModelError: a file is missing, damaged or holds no teacher.
        TeacherError: its maps are not as wide as those of the teacher in the settings.
    """
    paths = [path, *map(Path, config.teacher.members)]
    networks = [load_model(each, num_segments=num_time_steps(config) if each == path else None)[0] for each in paths]
    wide, expected = cast(Teacher, networks[0]).num_features, teacher_channels(config)
    if wide != expected:
        raise TeacherError(
            f"{path}: its maps have {wide} channels, those of teacher.arch={config.teacher.arch} with "
            f"teacher.backbone={config.teacher.backbone} {expected}; set both to what the checkpoint holds"
        )
    return FrozenTeacher(TeacherEnsemble(networks) if len(networks) > 1 else networks[0]).to(device)


def ensure_teacher(config: RunConfig, log: Log, progress: Progress, processes: Processes = ALONE) -> Path:
    """The teacher's checkpoint: the one given, or the cached one of its identity, trained first where it is missing.

    Runs that need the same teacher wait for the one that trains it; the `processes` of one run train it together.
    """
    if config.teacher.checkpoint is not None:
        path = Path(config.teacher.checkpoint)
        if not path.exists():
            raise TeacherError(f"teacher.checkpoint: {path} does not exist; import one with `cdkd teacher import`")
        return path
    folder = teacher_folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    with processes.main_process_first(FileLock(folder / "training.lock")):
        if not (folder / MODEL_NAME).exists():
            _train(config, folder, log, progress, processes)
    return folder / MODEL_NAME


def _part(config: RunConfig, parts: dict[str, int]) -> Part:
    wanted = config.teacher.part
    if wanted == "auto":
        return "pretrain" if "pretrain" in parts else "train"
    if wanted not in parts:
        raise TeacherError(
            f"teacher.part: {config.data.name} has no '{wanted}' part; use teacher.part=train, or teacher.checkpoint"
        )
    return wanted


def _train(config: RunConfig, folder: Path, log: Log, progress: Progress, processes: Processes) -> None:
    settings = config.teacher
    dataset = open_dataset(config.data)
    device = choose_device(config.runtime.device)
    torch.set_num_threads(config.runtime.num_threads)
    network = build_own_teacher(config, dataset.num_classes)
    initialise(network, settings.seed)
    load_pretrained(network, settings.weights)
    accelerate(network, config.runtime, settings.train, processes, device)
    objective = processes.wrap(TeacherObjective(network, settings.train.label_smoothing), device)
    inputs = ClipInputs(config.model_copy(update={"seed": settings.seed}), dataset, device, processes)
    data, window = config.data, cast(Teacher, network).window
    layout = ClipLayout(data.gops_per_clip, data.frames_per_gop, student_window=0, teacher_window=window)
    part = _part(config, dataset.manifest.num_videos_per_part)
    source, held_out = inputs.source(part, layout), inputs.source("validation", layout)

    def loss(batch: ClipBatch, step: int) -> Loss:
        pictures, labels = inputs.training(batch, step)
        total: Loss = objective(pictures.frames, labels)
        return total

    def predict(batch: ClipBatch, crop: int) -> Tensor:
        logits: Tensor = network(inputs.view(batch, crop).frames).logits
        return logits

    def validate() -> dict[str, float]:
        scores = evaluate(network, predict, held_out, inputs.evaluation, processes)
        return scores.accuracies("validation")

    def test() -> dict[str, float]:
        scores = evaluate(network, predict, inputs.source("test", layout), inputs.evaluation, processes)
        return scores.accuracies("test")

    task = TrainingTask(
        network,
        lambda epoch: inputs.training_batches(source, settings.seed, epoch, settings.train.batch_size),
        loss,
        validate,
        no_sync=processes.no_sync(objective),
    )
    fit_config = FitConfig(
        settings.train, settings.seed, device, folder, config.evaluation.every_epochs, processes=processes
    )
    if fit(task, fit_config, log, progress) == "diverged":
        raise TeacherError(
            f"the teacher's training diverged; lower teacher.train.learning_rate ({settings.train.learning_rate:g})"
        )
    # Validated anew: a training that was interrupted after its last epoch has logged nothing when it goes on.
    metrics = {**validate(), **test()}
    if processes.is_main:
        metadata = {**inputs.metadata, **cost_metadata(teacher_cost(config, dataset.num_classes)), "trained_on": part}
        description = teacher_description(config, dataset, metadata)
        save_model(folder / MODEL_NAME, network, {**description, **metrics})
