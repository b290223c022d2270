"""A network and its loss as one module: one forward pass, which data-parallel training can wrap."""

from torch import Tensor, nn

from cdkd.data.clips.transforms import NetworkInputs
from cdkd.distill.calibration import LossUnits
from cdkd.distill.objective import Loss, classification_loss, objective
from cdkd.models.outputs import StudentOutput, TeacherOutput
from cdkd.settings import RunConfig
from cdkd.train.processes import Processes


class StudentObjective(nn.Module):
    """Eq. 7 of a student, with the networks that its losses bring along (`build_auxiliary`)."""

    def __init__(
        self,
        student: nn.Module,
        auxiliary: nn.ModuleDict,
        config: RunConfig,
        processes: Processes,
        units: LossUnits | None = None,
    ) -> None:
        """
        Args:
            student: the network.
            auxiliary: of `build_auxiliary`.
            config: the whole configuration.
            processes: that train together.
            units: of the calibrated losses; until they are fixed, and for None, each loss stands as it is.
        """
        super().__init__()
        self.student = student
        self.auxiliary = auxiliary
        self.config = config
        self.processes = processes
        self.units = units or LossUnits({})

    def forward(self, inputs: NetworkInputs, teacher_output: TeacherOutput | None, labels: Tensor) -> Loss:
        """The loss of prepared inputs, the teacher's output for them, and labels (L,) of the first of them."""
        output: StudentOutput = self.student(inputs.iframes, inputs.motion, inputs.residual)
        return objective(
            output,
            teacher_output,
            labels,
            self.config.distill,
            auxiliary=self.auxiliary,
            detach_gate=self.config.student.gate == "softmax",
            units=self.units.values,
            label_smoothing=self.config.train.label_smoothing,
            batch_mean=self.processes.batch_mean,
            all_clips=self.processes.all_clips,
        )


class TeacherObjective(nn.Module):
    """Cross-entropy of a teacher."""

    def __init__(self, teacher: nn.Module, label_smoothing: float) -> None:
        super().__init__()
        self.teacher = teacher
        self.label_smoothing = label_smoothing

    def forward(self, frames: Tensor, labels: Tensor) -> Loss:
        """The loss of normalised frames (B, T, F, 3, H, W) and labels (B,)."""
        return classification_loss(self.teacher(frames).logits, labels, self.label_smoothing)
