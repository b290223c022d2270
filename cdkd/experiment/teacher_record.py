"""What is known of a trained teacher: its checkpoint's description keeps it, the runs that use it repeat it."""

from pathlib import Path

from cdkd.experiment.outcome import Outcome
from cdkd.models.weights.checkpoints import load_description
from cdkd.settings import RunConfig

_METRICS = ("validation_top1", "test_top1", "test_top5")
# A test of other videos or through other views is no figure to stand beside the run's own.
_SAME_TEST = ("dataset", "dataset_version", "split", "views", "num_test_videos")
_SAME_CLIP = ("gops_per_clip", "frames_per_gop")


def teacher_outcome(checkpoint: Path) -> Outcome:
    """What a teacher's training left behind: accuracies in percent, and the texts among its description as metadata.

    Raises:
        ModelError: the checkpoint is missing or foreign.
    """
    known = load_description(checkpoint)
    metrics = {name: float(known[name]) for name in _METRICS if name in known}
    metadata = {
        name: value for name, value in known.items() if isinstance(value, str) and name not in ("format", "role")
    }
    return Outcome("finished", metrics, {"checkpoint": checkpoint}, metadata)


def teacher_metadata(config: RunConfig, metadata: dict[str, str], checkpoint: Path) -> dict[str, str]:
    """Accuracies and cost of a run's teacher, where it was tested as the run will be; else nothing.

    Nothing either of an imported checkpoint, which was never tested here, or of an ensemble, whose members' figures
    are not its own.

    Args:
        experiment: of the run.
        metadata: of the run's data set, split and views.
        checkpoint: the teacher's.
    """
    known = load_description(checkpoint)
    if "test_top1" not in known or config.teacher.members:
        return {}
    clip = config.data.model_dump(include=set(_SAME_CLIP))
    is_same_clip = all(known["preprocessing"].get(name) == value for name, value in clip.items())
    if not is_same_clip or any(known.get(name) != metadata.get(name) for name in _SAME_TEST):
        return {}
    told = ("test_top1", "test_top5", "gmacs_per_view", "parameters")
    return {f"teacher_{name}": str(known[name]) for name in told}
