"""What the benchmark of the sweep engine runs in place of trainings: cells that end at once."""

import os
from pathlib import Path

from cdkd.callbacks import Log, Progress, RunProgress, silent
from cdkd.metric_names import TEST_TOP1, TRAIN_LOSS, VALIDATION_TOP1
from cdkd.settings import RunConfig
from cdkd.tracking.tracker import Outcome

REFERENCE = "cdkd.bench.idle_runner:RUNNER"
"""As a worker process finds it."""
MARK = "CDKD_BENCH_MARK"
"""Environment variable with the file that every cell's start touches; unset, nothing is touched."""


class IdleRunner:
    """See `cdkd.sweep.workers.cell_runner.CellRunner`: no data, no teacher, one epoch of nothing."""

    def preload(self) -> None:
        """Nothing to import."""

    def check(self, config: RunConfig) -> None:
        """Always able."""

    def prepare_data(self, config: RunConfig, progress: Progress = silent) -> None:
        """Nothing to prepare."""

    def has_teacher(self, config: RunConfig) -> bool:
        """None is missing."""
        return True

    def take_teacher(self, config: RunConfig, checkpoint: Path) -> None:
        """Never asked."""

    def ensure_teacher(self, config: RunConfig, log: Log, progress: RunProgress = silent) -> Path:
        """Never asked."""
        raise NotImplementedError("idle cells have no teacher")

    def teacher_outcome(self, checkpoint: Path) -> Outcome:
        """Never asked."""
        raise NotImplementedError("idle cells have no teacher")

    def teacher_validation(self, config: RunConfig) -> float | None:
        """Nobody knows it."""
        return None

    def run(self, config: RunConfig, folder: Path, log: Log, progress: RunProgress = silent) -> Outcome:
        """One logged epoch, and a result."""
        if mark := os.environ.get(MARK):
            Path(mark).touch()
        log({TRAIN_LOSS: 1.0, VALIDATION_TOP1: 50.0}, 1)
        progress(1.0)
        return Outcome("finished", {TEST_TOP1: 50.0, VALIDATION_TOP1: 50.0})


RUNNER = IdleRunner()
