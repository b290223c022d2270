"""One run: its whole configuration becomes objects here and nowhere else.

Importing this package imports no torch; calling `RUNNER` does.
"""

from pathlib import Path

from cdkd.callbacks import Log, Progress, RunProgress, silent
from cdkd.experiment.paths import has_teacher, take_teacher, teacher_validation
from cdkd.settings import RunConfig
from cdkd.tracking.tracker import Outcome


class ExperimentRunner:
    """What a sweep asks of a run: its data, its teacher, its training; the last two among processes under torchrun."""

    def preload(self) -> None:
        """Imports torch and all that a run builds."""
        import cdkd.experiment.student  # noqa: F401

    def check(self, config: RunConfig) -> None:
        """Imports what a run needs, opens its device and its data; what fails here would fail in every run.

        Raises:
            CdkdError: the device cannot be used on this machine, or the data set is not where the settings say.
        """
        self.preload()
        import torch

        from cdkd.models.devices import choose_device

        # `auto` asks for a device without opening it.
        torch.empty(1, device=choose_device(config.runtime.device))
        self.prepare_data(config)

    def prepare_data(self, config: RunConfig, progress: Progress = silent) -> None:
        """Generates or transcodes the data set, and the unlabelled videos, where that was not done before."""
        from cdkd.data.opening import open_dataset
        from cdkd.data.unlabelled import open_unlabelled

        dataset = open_dataset(config.data, progress)
        if config.unlabelled_per_step:
            open_unlabelled(config.data, dataset.manifest, progress)

    def has_teacher(self, config: RunConfig) -> bool:
        """The run's teacher is ready: given as a checkpoint, or trained before, or not needed."""
        return has_teacher(config)

    def take_teacher(self, config: RunConfig, checkpoint: Path) -> None:
        """Makes a copy of a file the teacher that the run needs, which was trained elsewhere."""
        take_teacher(config, checkpoint)

    def ensure_teacher(self, config: RunConfig, log: Log, progress: RunProgress = silent) -> Path:
        """The checkpoint of the run's teacher; it is trained where it is missing, once for all processes.

        Raises:
            CdkdError: the checkpoint is missing or foreign, or the training diverged.
        """
        from cdkd.experiment.runtime import launched_processes
        from cdkd.experiment.teacher import ensure_teacher

        with launched_processes(config.runtime.device) as processes:
            return ensure_teacher(config, log, progress, processes)

    def teacher_outcome(self, checkpoint: Path) -> Outcome:
        """What the training of a teacher left behind: its accuracies, its cost, what it was trained and tested on.

        Raises:
            CdkdError: the checkpoint is missing or foreign.
        """
        from cdkd.experiment.description import teacher_outcome

        return teacher_outcome(checkpoint)

    def teacher_validation(self, config: RunConfig) -> float | None:
        """Accuracy on validation videos, in percent, of the teacher that the run trains; None where nobody knows it."""
        return teacher_validation(config)

    def run(self, config: RunConfig, folder: Path, log: Log, progress: RunProgress = silent) -> Outcome:
        """Trains and tests the student of one cell; goes on from the checkpoint in `folder` where there is one.

        Args:
            config: the whole configuration.
            folder: working folder of this cell; made where it does not exist.
            log: called once per epoch with all of its numbers and the epoch, from 1.
            progress: called with the share of the training, then of the testing, that is done.
        """
        from cdkd.experiment.runtime import launched_processes
        from cdkd.experiment.student import run_student

        with launched_processes(config.runtime.device) as processes:
            return run_student(config, folder, log, progress, processes)


RUNNER = ExperimentRunner()
