"""One student's configuration becomes objects: data set, teacher, network with its initial weights."""

from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from cdkd.callbacks import Log
from cdkd.data.clips.clip import ClipBatch
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.clips.transforms import NetworkInputs
from cdkd.data.loading.dataset import ClipDataset
from cdkd.data.manifest import Part
from cdkd.data.opening import OpenDataset, open_dataset
from cdkd.distill.objective import Loss, build_auxiliary
from cdkd.experiment.acceleration import accelerate, accelerate_frozen
from cdkd.experiment.inputs import ClipInputs, choose_device
from cdkd.experiment.loss_modules import StudentObjective
from cdkd.experiment.teacher import ensure_teacher, load_teacher
from cdkd.experiment.teacher_geometry import teacher_channels
from cdkd.experiment.teacher_record import teacher_metadata
from cdkd.models.outputs import StudentOutput
from cdkd.models.student.student import build_student
from cdkd.models.teacher.teacher import FrozenTeacher
from cdkd.models.weights.pretrained import load_pretrained
from cdkd.settings import RunConfig, StudentSettings
from cdkd.train.engine import TrainingTask
from cdkd.train.evaluate import evaluate
from cdkd.train.initial import initialise
from cdkd.train.metrics import Scores
from cdkd.train.processes import ALONE, Processes


@dataclass(frozen=True)
class StudentRun:
    """The objects of one cell."""

    config: RunConfig
    dataset: OpenDataset
    inputs: ClipInputs
    student: nn.Module
    teacher: FrozenTeacher | None
    auxiliary: nn.ModuleDict
    """What losses train along with the student; no part of it."""
    objective: nn.Module
    """`StudentObjective`, wrapped where several processes train."""
    teacher_metadata: dict[str, str] = field(default_factory=dict)
    """What the teacher reached on the run's own test, and its cost, where that is known."""

    @property
    def processes(self) -> Processes:
        """Who trains."""
        return self.inputs.processes

    def source(self, part: Part) -> ClipDataset:
        """Clips of a part; raw frames only where a teacher looks on, in training."""
        looks_on = self.teacher is not None and part == "train"
        data = self.config.data
        seen = self.teacher.window if self.teacher is not None and looks_on else 0
        own = cast(int, self.student.window)
        return self.inputs.source(part, ClipLayout(data.gops_per_clip, data.frames_per_gop, own, seen))

    def loss(self, batch: ClipBatch, step: int) -> Loss:
        """Eq. 7 for one training batch."""
        inputs, labels = self.inputs.training(batch, step)
        teacher_output = None if self.teacher is None else self.teacher(inputs.frames)
        loss: Loss = self.objective(inputs, teacher_output, labels)
        return loss

    def forward(self, inputs: NetworkInputs) -> StudentOutput:
        """The student's output for prepared inputs."""
        output: StudentOutput = self.student(inputs.iframes, inputs.motion, inputs.residual)
        return output

    def predict(self, batch: ClipBatch, crop: int) -> Tensor:
        """Logits (B, K) of one test view."""
        return self.forward(self.inputs.view(batch, crop)).logits

    def scores(self, source: ClipDataset) -> Scores:
        """Every video of a part through every view."""
        return evaluate(self.student, self.predict, source, self.inputs.evaluation, self.processes)

    def task(self, part: Part) -> TrainingTask:
        """Training on a part, looked at on the validation part."""
        source, held_out = self.source(part), self.source("validation")
        settings, seed = self.config.train, self.config.seed
        return TrainingTask(
            self.student,
            lambda epoch: self.inputs.training_batches(source, seed, epoch, settings.batch_size),
            self.loss,
            lambda: self.scores(held_out).accuracies("validation"),
            auxiliary=self.auxiliary,
            no_sync=self.processes.no_sync(self.objective),
        )


def assemble(config: RunConfig, log: Log, processes: Processes = ALONE, weights: str | None = None) -> StudentRun:
    """Configuration becomes objects: data set, teacher where a loss needs one, student with its initial weights.

    Args:
        experiment: the whole configuration.
        log: of the teacher's training, where there is one.
        processes: that train together.
        weights: what the streams start from, instead of `student.weights`.
    """
    torch.set_num_threads(config.runtime.num_threads)
    device = choose_device(config.runtime.device)
    dataset = open_dataset(config.data)
    inputs = ClipInputs(config, dataset, device, processes)
    teacher, teacher_output = None, {}
    if config.uses_teacher:
        path = ensure_teacher(config, log, lambda fraction: None, processes)
        teacher = load_teacher(config, device, path)
        teacher_output = teacher_metadata(config, inputs.metadata, path)
        accelerate_frozen(teacher, config.runtime, device)
    channels = teacher_channels(config)
    student = build_student(
        config.student,
        num_classes=dataset.num_classes,
        num_gops=config.data.gops_per_clip,
        frames_per_gop=config.data.frames_per_gop,
        teacher_channels=channels,
    )
    auxiliary = build_auxiliary(config.distill, channels).to(device)
    for network in (student, auxiliary):
        initialise(network, config.seed)
    load_pretrained(student, weights or config.student.weights)
    accelerate(student, config.runtime, config.train, processes, device)
    objective = StudentObjective(student, auxiliary, config, processes)
    wrapped = processes.wrap(objective, device, may_skip=_may_skip(config.student))
    return StudentRun(config, dataset, inputs, student, teacher, auxiliary, wrapped, teacher_output)


def _may_skip(settings: StudentSettings) -> bool:
    """Some of the decoder's or the gate's weights may take no part in the loss."""
    return settings.decoder and (settings.head == "streams" or settings.gate != "softmax")
