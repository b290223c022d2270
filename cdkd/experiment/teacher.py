"""The raw-domain network of a run: found by identity, or trained once and kept."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from cdkd.callbacks import Log, RunProgress
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.clips.transforms import NetworkInputs
from cdkd.data.loading.steps import StepClips
from cdkd.data.manifest import Part
from cdkd.data.opening import open_dataset
from cdkd.distill.objective import Loss
from cdkd.experiment.description import teacher_description
from cdkd.experiment.evaluation import score_columns
from cdkd.experiment.inputs import ClipInputs
from cdkd.experiment.loss_modules import TeacherObjective
from cdkd.experiment.network_run import NetworkRun
from cdkd.experiment.paths import MODEL_NAME, SCORES_NAME, teacher_folder
from cdkd.experiment.runtime import accelerate
from cdkd.experiment.sizes import build_own_teacher, cost_metadata, teacher_cost
from cdkd.experiment.teacher_fit import TeacherError
from cdkd.file_lock import FileLock
from cdkd.models.devices import choose_device, device_words
from cdkd.models.teacher.teacher import Teacher
from cdkd.models.weights.checkpoints import save_model
from cdkd.models.weights.pretrained import initialise, load_pretrained
from cdkd.settings import OptimizerSettings, RunConfig
from cdkd.train.processes import ALONE, Processes


def ensure_teacher(config: RunConfig, log: Log, progress: RunProgress, processes: Processes = ALONE) -> Path:
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
        # Asked under the lock: who waited finds what the other trained. The file comes last, after the checkpoints.
        if not (folder / MODEL_NAME).exists():
            _train(config, folder, log, progress, processes)
    return folder / MODEL_NAME


@dataclass(frozen=True)
class TeacherRun(NetworkRun):
    """The objects of a teacher's training."""

    teacher: Teacher

    @property
    def network(self) -> Teacher:
        """See `NetworkRun`."""
        return self.teacher

    @property
    def settings(self) -> OptimizerSettings:
        """See `NetworkRun`."""
        return self.config.teacher.train

    def layout(self, part: Part) -> ClipLayout:
        """Raw frames alone."""
        data = self.config.data
        return ClipLayout(data.gops_per_clip, data.frames_per_gop, 0, self.teacher.window, data.sampling)

    def loss(self, clips: StepClips, step: int) -> Loss:
        """Cross-entropy of one training step's clips."""
        inputs, labels = self.inputs.training(clips, step)
        loss: Loss = self.objective(inputs.frames, labels)
        return loss

    def logits(self, inputs: NetworkInputs) -> Tensor:
        """(B, K); see `NetworkRun`."""
        return self.teacher(inputs.frames).logits


def _build(config: RunConfig, processes: Processes) -> TeacherRun:
    torch.set_num_threads(config.runtime.num_threads)
    settings, device = config.teacher, choose_device(config.runtime.device)
    dataset = open_dataset(config.data)
    teacher = build_own_teacher(config, dataset.num_classes)
    initialise(teacher, settings.seed)
    load_pretrained(teacher, settings.weights)
    accelerate(teacher, config.runtime, settings.train, processes, device)
    objective = processes.wrap(TeacherObjective(teacher, settings.train.label_smoothing), device)
    # The teacher's own seed and not the run's: students of all seeds share one teacher.
    own_seed = config.model_copy(update={"seed": settings.seed})
    return TeacherRun(ClipInputs(own_seed, dataset, device, processes, settings.arch), objective, nn.Module(), teacher)


def _part(config: RunConfig, parts: dict[str, int]) -> Part:
    wanted = config.teacher.part
    if wanted == "auto":
        return "pretrain" if "pretrain" in parts else "train"
    if wanted not in parts:
        raise TeacherError(
            f"teacher.part: {config.data.name} has no '{wanted}' part; use teacher.part=train, or teacher.checkpoint"
        )
    return wanted


def _train(config: RunConfig, folder: Path, log: Log, progress: RunProgress, processes: Processes) -> None:
    run = _build(config, processes)
    part = _part(config, run.dataset.manifest.num_videos_per_part)
    every = config.evaluation.every_epochs
    if divergence := run.fit(part, folder, log, progress, validate_every_epochs=every):
        raise TeacherError(
            f"the teacher's training diverged: {divergence}; lower teacher.train.learning_rate "
            f"({run.settings.learning_rate:g})"
        )
    metrics, tested = run.judge(progress)
    if processes.is_main:
        cost = cost_metadata(teacher_cost(config, run.dataset.num_classes))
        device = device_words(run.inputs.device)
        metadata = {**run.inputs.metadata, **cost, "trained_on": part, "device": device}
        description = teacher_description(config, run.dataset, metadata)
        # Before the checkpoint, which says that all is there.
        pd.DataFrame(score_columns(tested)).to_parquet(folder / SCORES_NAME)
        save_model(folder / MODEL_NAME, run.teacher, {**description, **metrics})
