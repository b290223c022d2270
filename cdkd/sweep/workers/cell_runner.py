"""What a sweep asks of the code that trains: one object, named so that worker processes can find it too."""

import importlib
import sys
from pathlib import Path
from typing import Protocol, cast

from cdkd.callbacks import Log, Progress, RunProgress
from cdkd.errors import CdkdError
from cdkd.settings import RunConfig
from cdkd.tracking.tracker import Outcome

DEFAULT_RUNNER = "cdkd.experiment:RUNNER"
"""Module and name of the object that trains cells."""


class CellRunner(Protocol):
    """What trains a cell and its teacher; `cdkd.experiment.RUNNER` is the real one."""

    def preload(self) -> None:
        """Imports what a run needs, which takes seconds; whatever is missing is for `check` to tell."""

    def check(self, config: RunConfig) -> None:
        """Finds out before anything is claimed whether this process can train at all: imports, device, data."""

    def prepare_data(self, config: RunConfig, progress: Progress) -> None:
        """Makes the run's data set ready."""

    def has_teacher(self, config: RunConfig) -> bool:
        """The teacher that the run needs is trained."""

    def take_teacher(self, config: RunConfig, checkpoint: Path) -> None:
        """Makes a copy of a file the teacher that the run needs, which was trained elsewhere."""

    def ensure_teacher(self, config: RunConfig, log: Log, progress: RunProgress) -> Path:
        """Trains the teacher that the run needs, or finds it."""

    def teacher_outcome(self, checkpoint: Path) -> Outcome:
        """What is known of a teacher that was trained."""

    def teacher_validation(self, config: RunConfig) -> float | None:
        """Accuracy on validation videos, in percent, of the teacher that the run trains; None where nobody knows it."""

    def run(self, config: RunConfig, folder: Path, log: Log, progress: RunProgress) -> Outcome:
        """Trains and tests."""


def load_runner(reference: str, import_folder: str | None = None) -> CellRunner:
    """The object behind `module:name`.

    Args:
        reference: module and name.
        import_folder: where the module is looked for after everywhere else.

    Raises:
        CdkdError: there is none.
    """
    module, _, name = reference.partition(":")
    if import_folder is not None and import_folder not in sys.path:
        sys.path.append(import_folder)
    try:
        return cast(CellRunner, getattr(importlib.import_module(module), name))
    except (ImportError, AttributeError, ValueError) as error:
        raise CdkdError(f"{reference}: no runner of cells can be imported from there: {error}") from error
