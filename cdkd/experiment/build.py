"""One student's configuration becomes objects: data set, teacher, network with its initial weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from cdkd.callbacks import Log, silent
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.clips.transforms import NetworkInputs
from cdkd.data.loading.dataset import ClipDataset
from cdkd.data.loading.steps import StepClips
from cdkd.data.manifest import Manifest, Part
from cdkd.data.opening import open_dataset
from cdkd.data.unlabelled import open_unlabelled
from cdkd.distill.calibration import LossUnits
from cdkd.distill.objective import Loss, build_auxiliary
from cdkd.experiment.description import teacher_metadata
from cdkd.experiment.inputs import ClipInputs
from cdkd.experiment.loss_modules import StudentObjective
from cdkd.experiment.network_run import NetworkRun
from cdkd.experiment.runtime import accelerate, accelerate_frozen
from cdkd.experiment.sizes import teacher_channels
from cdkd.experiment.teacher import ensure_teacher
from cdkd.experiment.teacher_fit import frozen_teacher
from cdkd.models.devices import choose_device
from cdkd.models.student.student import CoviarStudent, Student, build_student
from cdkd.models.teacher.teacher import FrozenTeacher
from cdkd.models.weights.pretrained import initialise, load_pretrained
from cdkd.settings import OptimizerSettings, RunConfig, StudentSettings
from cdkd.train.calibration import Calibration
from cdkd.train.processes import ALONE, Processes


@dataclass(frozen=True)
class StudentRun(NetworkRun):
    """The objects of one cell; without teacher, those of the streams' pre-training too."""

    student: Student | CoviarStudent
    units: LossUnits
    """What the objective multiplies calibrated losses by."""
    teacher: FrozenTeacher | None
    unlabelled: Manifest | None = None
    """Videos from which the losses learn without labels; None where there are none."""
    teacher_metadata: dict[str, str] = field(default_factory=dict)
    """What the teacher reached on the run's own test, its cost, and where it differs from the run, as far as known."""

    @property
    def network(self) -> Student | CoviarStudent:
        """See `NetworkRun`."""
        return self.student

    @property
    def settings(self) -> OptimizerSettings:
        """See `NetworkRun`."""
        return self.config.train

    def layout(self, part: Part) -> ClipLayout:
        """Raw frames only where a teacher looks on, in training."""
        data = self.config.data
        seen = self.teacher.window if self.teacher is not None and part == "train" else 0
        return ClipLayout(data.gops_per_clip, data.frames_per_gop, self.student.window, seen, data.sampling)

    @property
    def unlabelled_metadata(self) -> dict[str, str]:
        """What a reader of a table must know of the unlabelled videos; {} where there are none."""
        if self.unlabelled is None:
            return {}
        number, each = len(self.unlabelled.videos), self.config.unlabelled_per_step
        words = f"{each} a step of the {number:,} of {self.config.data.unlabelled}"
        return {"unlabelled": words, "unlabelled_version": self.unlabelled.version}

    def unlabelled_source(self) -> ClipDataset | None:
        """See `NetworkRun`; read as the clips trained on are."""
        return None if self.unlabelled is None else self.inputs.unlabelled_source(self.unlabelled, self.layout("train"))

    def loss(self, clips: StepClips, step: int) -> Loss:
        """Eq. 7 for the clips of one training step."""
        return self._loss(self.objective, clips, step)

    def _loss(self, objective: nn.Module, clips: StepClips, step: int) -> Loss:
        # One forward pass of each network over labelled and unlabelled clips together.
        inputs, labels = self.inputs.training(clips, step)
        teacher_output = None if self.teacher is None else self.teacher(inputs.frames)
        loss: Loss = objective(inputs, teacher_output, labels)
        return loss

    @property
    def calibration(self) -> Calibration | None:
        """See `NetworkRun`; losses pull at the streams' weights, which every student has."""
        if not self.units.wanted:
            return None
        alone = self.processes.unwrapped(self.objective)

        def parts(clips: StepClips, step: int) -> Mapping[str, Tensor]:
            return self._loss(alone, clips, step).parts

        return Calibration(self.units, parts, [p for p in self.student.streams.parameters() if p.requires_grad])

    def logits(self, inputs: NetworkInputs) -> Tensor:
        """(B, K); see `NetworkRun`."""
        return self.student(inputs.iframes, inputs.motion, inputs.residual).logits


def assemble(config: RunConfig, log: Log, processes: Processes = ALONE, weights: str | None = None) -> StudentRun:
    """Configuration becomes objects: data set, teacher where a loss needs one, student with its initial weights.

    Args:
        config: the whole configuration.
        log: of the teacher's training, where there is one.
        processes: that train together.
        weights: what the streams start from, instead of `student.weights`.

    Raises:
        CdkdError: something cannot be built as configured, or the teacher does not fit the run.
    """
    torch.set_num_threads(config.runtime.num_threads)
    device = choose_device(config.runtime.device)
    inputs = ClipInputs(config, open_dataset(config.data), device, processes, config.student.arch)
    path = ensure_teacher(config, log, silent, processes) if config.uses_teacher else None
    channels = teacher_channels(config)
    student = build_student(
        config.student,
        num_classes=inputs.dataset.num_classes,
        num_gops=config.data.gops_per_clip,
        frames_per_gop=config.data.frames_per_gop,
        teacher_channels=channels,
    )
    auxiliary = build_auxiliary(config.distill, channels).to(device)
    for network in (student, auxiliary):
        initialise(network, config.seed)
    load_pretrained(student, weights or config.student.weights)
    accelerate(student, config.runtime, config.train, processes, device)
    units = LossUnits.of(config.distill)
    objective = StudentObjective(student, auxiliary, config, processes, units)
    wrapped = processes.wrap(objective, device, may_skip=_may_skip(config.student))
    if path is None:
        return StudentRun(inputs, wrapped, auxiliary, student, units, None)
    teacher, differences = frozen_teacher(config, path, inputs.dataset.manifest.classes, student.map_stride)
    accelerate_frozen(teacher, config.runtime, device)
    metadata = {**teacher_metadata(config, inputs.metadata, path), **differences}
    unlabelled = open_unlabelled(config.data, inputs.dataset.manifest) if config.unlabelled_per_step else None
    return StudentRun(inputs, wrapped, auxiliary, student, units, teacher, unlabelled, metadata)


def _may_skip(settings: StudentSettings) -> bool:
    """Some of the decoder's or the gate's weights may take no part in the loss."""
    return settings.decoder and (settings.head == "streams" or settings.gate != "softmax")
