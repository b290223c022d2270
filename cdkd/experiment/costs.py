"""What one view of a run's clips costs its networks, counted at the run's own sizes."""

from cdkd.experiment.teacher_geometry import num_time_steps, teacher_channels
from cdkd.models.complexity import Complexity, student_complexity, teacher_complexity
from cdkd.settings import RunConfig


def student_cost(config: RunConfig, num_classes: int) -> Complexity:
    """Of the student, pseudo-decoder and gate included where it has them."""
    data = config.data
    return student_complexity(
        config.student,
        num_classes=num_classes,
        num_gops=data.gops_per_clip,
        frames_per_gop=data.frames_per_gop,
        teacher_channels=teacher_channels(config),
        size=data.input_size,
    )


def teacher_cost(config: RunConfig, num_classes: int) -> Complexity:
    """Of the teacher in the settings, whatever `teacher.checkpoint` holds."""
    return teacher_complexity(
        config.teacher,
        num_classes=num_classes,
        num_segments=num_time_steps(config),
        size=config.data.input_size,
    )


def cost_metadata(cost: Complexity) -> dict[str, str]:
    """As a run's metadata; the cost of a video is that of a view times the fact `num_views`."""
    return {"gmacs_per_view": str(cost.gmacs_per_view), "parameters": str(cost.parameters)}
