"""A network and its loss as one module: one forward pass, which data-parallel training can wrap."""

from collections.abc import Callable

from torch import Tensor, nn

from cdkd.data.transforms import NetworkInputs
from cdkd.distill.objective import Loss, classification_loss, objective
from cdkd.models.outputs import StudentOutput, TeacherOutput
from cdkd.settings import Experiment


class StudentObjective(nn.Module):
    """Eq. 7 of a student."""

    def __init__(self, student: nn.Module, experiment: Experiment, batch_mean: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.student = student
        self.experiment = experiment
        self.batch_mean = batch_mean

    def forward(self, pictures: NetworkInputs, known: TeacherOutput | None, labels: Tensor) -> Loss:
        """The loss of prepared inputs, the teacher's output for them, and labels (B,)."""
        output: StudentOutput = self.student(pictures.iframes, pictures.motion, pictures.residual)
        return objective(
            output,
            known,
            labels,
            self.experiment.distill,
            detach_gate=self.experiment.student.gate == "softmax",
            label_smoothing=self.experiment.train.label_smoothing,
            batch_mean=self.batch_mean,
        )


class TeacherObjective(nn.Module):
    """Cross-entropy of a teacher."""

    def __init__(self, teacher: nn.Module, label_smoothing: float) -> None:
        super().__init__()
        self.teacher = teacher
        self.label_smoothing = label_smoothing

    def forward(self, frames: Tensor, labels: Tensor) -> Loss:
        """The loss of normalised frames (B, T, W, 3, H, W) and labels (B,)."""
        return classification_loss(self.teacher(frames).logits, labels, self.label_smoothing)
