"""What a sweep asks of the code that trains: one object, named so that worker processes can find it too."""

import importlib
from pathlib import Path
from typing import Protocol, cast

from cdkd.callbacks import Log, Progress
from cdkd.errors import CdkdError
from cdkd.settings import RunConfig
from cdkd.tracking.tracker import Outcome

DEFAULT_RUNNER = "cdkd.experiment:RUNNER"
"""Module and name of the object that trains cells."""


class CellRunner(Protocol):
    """What trains a cell and its teacher; `cdkd.experiment.RUNNER` is the real one."""

    def prepare_data(self, config: RunConfig, progress: Progress) -> None:
        """Makes the run's data set ready."""

    def has_teacher(self, config: RunConfig) -> bool:
        """The teacher that the run needs is trained."""

    def ensure_teacher(self, config: RunConfig, log: Log, progress: Progress) -> Path:
        """Trains the teacher that the run needs, or finds it."""

    def teacher_outcome(self, checkpoint: Path) -> Outcome:
        """What is known of a teacher that was trained."""

    def run(self, config: RunConfig, folder: Path, log: Log, progress: Progress) -> Outcome:
        """Trains and tests."""


def load_runner(reference: str) -> CellRunner:
    """The object behind `module:name`.

    Raises:
        CdkdError: there is none.
    """
    module, _, name = reference.partition(":")
    try:
        return cast(CellRunner, getattr(importlib.import_module(module), name))
    except (ImportError, AttributeError, ValueError) as error:
        raise CdkdError(f"{reference}: no runner of cells can be imported from there: {error}") from error
