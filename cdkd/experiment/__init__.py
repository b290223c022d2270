"""One run: its whole configuration becomes objects here and nowhere else.

Importing this package imports no torch; calling its functions does.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cdkd.callbacks import Log, Progress
from cdkd.experiment.paths import has_teacher, teacher_folder
from cdkd.settings import Experiment

__all__ = ["Outcome", "ensure_teacher", "has_teacher", "prepare_data", "run", "teacher_folder", "teacher_outcome"]


@dataclass(frozen=True)
class Outcome:
    """What a finished run leaves behind."""

    status: Literal["finished", "diverged"]
    metrics: dict[str, float] = field(default_factory=dict)
    """Accuracies in percent, by part: test_top1, test_top5, validation_top1, ..."""
    artifacts: dict[str, Path] = field(default_factory=dict)
    """Files by kind: `scores` (per-video, parquet), `checkpoint` (safetensors)."""
    facts: dict[str, str] = field(default_factory=dict)
    """Provenance: data set, its version and counts, split, views, teacher, initial weights."""


def prepare_data(experiment: Experiment, progress: Progress = lambda share: None) -> None:
    """Generates or transcodes the data set where that was not done before."""
    from cdkd.data.dataset import open_dataset

    open_dataset(experiment.data, progress)


def ensure_teacher(experiment: Experiment, log: Log, progress: Progress = lambda share: None) -> Path:
    """The checkpoint of the run's teacher; it is trained where it is missing, once for all processes.

    Raises:
        CdkdError: the checkpoint is missing or foreign, or the training diverged.
    """
    from cdkd.experiment.teacher import ensure_teacher as ensure

    return ensure(experiment, log, progress)


def teacher_outcome(checkpoint: Path) -> Outcome:
    """What the training of a teacher left behind: its accuracies, its cost, what it was trained and tested on.

    Raises:
        CdkdError: the checkpoint is missing or foreign.
    """
    from cdkd.experiment.teacher_record import teacher_outcome as read

    return read(checkpoint)


def run(experiment: Experiment, folder: Path, log: Log, progress: Progress = lambda share: None) -> Outcome:
    """Trains and tests the student of one cell; goes on from the checkpoint in `folder` where there is one.

    Args:
        experiment: the whole configuration.
        folder: working folder of this cell; made where it does not exist.
        log: called once per epoch with all of its numbers and the epoch, from 1.
        progress: called with the share of the training that is done.
    """
    from cdkd.experiment.student import run_student

    return run_student(experiment, folder, log, progress)
