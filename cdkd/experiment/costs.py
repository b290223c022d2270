"""What one view of a run's clips costs its networks, counted at the run's own sizes."""

from cdkd.experiment.teacher_geometry import clip_stamps, teacher_channels
from cdkd.models.complexity import Complexity, student_complexity, teacher_complexity
from cdkd.settings import Experiment


def student_cost(experiment: Experiment, num_classes: int) -> Complexity:
    """Of the student, pseudo-decoder and gate included where it has them."""
    data = experiment.data
    return student_complexity(
        experiment.student,
        num_classes=num_classes,
        num_gops=data.gops_per_clip,
        frames_per_gop=data.frames_per_gop,
        teacher_channels=teacher_channels(experiment),
        size=data.input_size,
    )


def teacher_cost(experiment: Experiment, num_classes: int) -> Complexity:
    """Of the teacher in the settings, whatever `teacher.checkpoint` holds."""
    return teacher_complexity(
        experiment.teacher,
        num_classes=num_classes,
        num_segments=clip_stamps(experiment),
        size=experiment.data.input_size,
    )


def cost_facts(cost: Complexity) -> dict[str, str]:
    """As a run's facts; the cost of a video is that of a view times the fact `num_views`."""
    return {"gmacs_per_view": str(cost.gmacs_per_view), "parameters": str(cost.parameters)}
