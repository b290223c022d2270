"""One student's configuration becomes objects: data set, teacher, network with its initial weights."""

from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from cdkd.callbacks import Log
from cdkd.data.clips import ClipBatch
from cdkd.data.dataset import OpenDataset, open_dataset
from cdkd.data.loaders import ClipSource
from cdkd.data.manifest import Part
from cdkd.data.sampling import ClipLayout
from cdkd.data.transforms import NetworkInputs
from cdkd.distill.objective import Loss
from cdkd.experiment.acceleration import accelerate, accelerate_frozen
from cdkd.experiment.inputs import ClipInputs, choose_device
from cdkd.experiment.objectives import StudentObjective
from cdkd.experiment.teacher import ensure_teacher, load_teacher
from cdkd.experiment.teacher_geometry import teacher_channels
from cdkd.experiment.teacher_record import teacher_facts
from cdkd.models.outputs import StudentOutput
from cdkd.models.starting_weights import start_from
from cdkd.models.student import build_student
from cdkd.models.teacher import FrozenTeacher
from cdkd.settings import Experiment, StudentSettings
from cdkd.train.engine import Task
from cdkd.train.evaluate import evaluate
from cdkd.train.initial import initialise
from cdkd.train.metrics import Scores
from cdkd.train.processes import ALONE, Processes


@dataclass(frozen=True)
class StudentRun:
    """The objects of one cell."""

    experiment: Experiment
    dataset: OpenDataset
    inputs: ClipInputs
    student: nn.Module
    teacher: FrozenTeacher | None
    objective: nn.Module
    """`StudentObjective`, wrapped where several processes train."""
    teacher_facts: dict[str, str] = field(default_factory=dict)
    """What the teacher reached on the run's own test, and its cost, where that is known."""

    @property
    def processes(self) -> Processes:
        """Who trains."""
        return self.inputs.processes

    def source(self, part: Part) -> ClipSource:
        """Clips of a part; raw frames only where a teacher looks on, in training."""
        looks_on = self.teacher is not None and part == "train"
        data = self.experiment.data
        seen = self.teacher.window if self.teacher is not None and looks_on else 0
        own = cast(int, self.student.window)
        return self.inputs.source(part, ClipLayout(data.gops_per_clip, data.frames_per_gop, own, seen))

    def loss(self, batch: ClipBatch, step: int) -> Loss:
        """Eq. 7 for one training batch."""
        pictures, labels = self.inputs.training(batch, step)
        known = None if self.teacher is None else self.teacher(pictures.frames)
        loss: Loss = self.objective(pictures, known, labels)
        return loss

    def forward(self, pictures: NetworkInputs) -> StudentOutput:
        """The student's output for prepared inputs."""
        output: StudentOutput = self.student(pictures.iframes, pictures.motion, pictures.residual)
        return output

    def predict(self, batch: ClipBatch, crop: int) -> Tensor:
        """Logits (B, K) of one test view."""
        return self.forward(self.inputs.view(batch, crop)).logits

    def scores(self, source: ClipSource) -> Scores:
        """Every video of a part through every view."""
        return evaluate(self.student, self.predict, source, self.inputs.evaluation, self.processes)

    def task(self, part: Part) -> Task:
        """Training on a part, looked at on the validation part."""
        source, held_out = self.source(part), self.source("validation")
        settings, seed = self.experiment.train, self.experiment.seed
        return Task(
            self.student,
            lambda epoch: self.inputs.training_batches(source, seed, epoch, settings.batch_size),
            self.loss,
            lambda: self.scores(held_out).accuracies("validation"),
            without_exchange=self.processes.without_exchange(self.objective),
        )


def assemble(experiment: Experiment, log: Log, processes: Processes = ALONE, weights: str | None = None) -> StudentRun:
    """Configuration becomes objects: data set, teacher where a loss needs one, student with its initial weights.

    Args:
        experiment: the whole configuration.
        log: of the teacher's training, where there is one.
        processes: that train together.
        weights: what the streams start from, instead of `student.weights`.
    """
    torch.set_num_threads(experiment.runtime.num_threads)
    device = choose_device(experiment.runtime.device)
    dataset = open_dataset(experiment.data)
    inputs = ClipInputs(experiment, dataset, device, processes)
    teacher, known = None, {}
    if experiment.uses_teacher:
        path = ensure_teacher(experiment, log, lambda share: None, processes)
        teacher = load_teacher(experiment, device, path)
        known = teacher_facts(experiment, inputs.facts, path)
        accelerate_frozen(teacher, experiment.runtime, device)
    student = build_student(
        experiment.student,
        num_classes=dataset.num_classes,
        num_gops=experiment.data.gops_per_clip,
        frames_per_gop=experiment.data.frames_per_gop,
        teacher_channels=teacher_channels(experiment),
    )
    initialise(student, experiment.seed)
    start_from(student, weights or experiment.student.weights)
    accelerate(student, experiment.runtime, experiment.train, processes, device)
    objective = StudentObjective(student, experiment, processes.batch_mean)
    wrapped = processes.wrap(objective, device, may_skip=_may_skip(experiment.student))
    return StudentRun(experiment, dataset, inputs, student, teacher, wrapped, known)


def _may_skip(settings: StudentSettings) -> bool:
    """Some of the decoder's or the gate's weights may take no part in the loss."""
    return settings.decoder and (settings.head == "streams" or settings.gate != "softmax")
