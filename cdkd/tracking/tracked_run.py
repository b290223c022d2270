"""One attempt at a training as a tracking store sees it: opened, fed epoch by epoch, and ended in one of four ways."""

import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from cdkd.atomic_write import atomic_write
from cdkd.effective_settings import CONTENT
from cdkd.errors import CdkdError
from cdkd.settings import RunConfig
from cdkd.tracking.logbook import Logbook, Metrics
from cdkd.tracking.tracker import Outcome, RunStart, Tracker

TEACHERS_STAGE = "teachers"
"""Stage that the runs of teachers belong to."""
_SETTINGS_OF_TEACHERS = ("teacher.", "data.", "runtime.", f"{CONTENT}teacher.")


def teacher_label(config: RunConfig) -> str:
    """How a teacher is called in lists."""
    return f"teacher {config.teacher.arch} ({config.teacher.backbone})"


def teacher_start(
    config: RunConfig,
    settings: Mapping[str, Any],
    study: str,
    cell: str,
    attempt: int = 1,
    stage_digest: str = "",
    recipe: str = "",
) -> RunStart:
    """The start of a teacher's run: of `settings` it keeps what decides the teacher, not the run that asks for it."""
    return RunStart(
        role="teacher",
        study=study,
        stage=TEACHERS_STAGE,
        label=teacher_label(config),
        cell=cell,
        seed=config.teacher.seed,
        attempt=attempt,
        stage_digest=stage_digest,
        settings={key: value for key, value in settings.items() if key.startswith(_SETTINGS_OF_TEACHERS)},
        recipe=recipe,
    )


def error_text(error: BaseException) -> str:
    """What lists say of an error: its message alone where it is written for users, else its type as well."""
    if isinstance(error, CdkdError):
        return str(error)
    return "".join(traceback.format_exception_only(error)).strip()


class TrackedRun:
    """A run that is open in the store from its construction on.

        log ... log -> keep -> close    it has a result
                       fail             an error ended it
                       kill             its process was asked to stop

    Args:
        tracker: of the run's study, prepared for its stage.
        start: what is known before the first epoch.
        book: keeps the metrics for later attempts, so that each shows the whole curve; its folder is made.
        guard: context of every write to the store; a sweep's worker puts signals off in it.
    """

    def __init__(
        self,
        tracker: Tracker,
        start: RunStart,
        book: Path,
        guard: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._tracker = tracker
        self._book = book
        self._guard = guard
        self.id = tracker.open(start)

    @cached_property
    def _logbook(self) -> Logbook:
        """Opened when it is needed: until then, another process may write it."""
        self._book.parent.mkdir(parents=True, exist_ok=True)
        return Logbook(self._book, self._send)

    def _send(self, history: Sequence[tuple[int, Metrics]]) -> None:
        with self._guard():
            self._tracker.log(self.id, history)

    def attach_configuration(self, config: RunConfig) -> None:
        """Keeps the whole configuration as `config.yaml`."""
        with tempfile.TemporaryDirectory() as folder, self._guard():
            file = Path(folder) / "config.yaml"
            values: dict[str, Any] = config.model_dump(mode="json")
            file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
            self._tracker.attach(self.id, file)

    def log(self, metrics: Metrics, epoch: int) -> None:
        """One epoch's metrics, epochs counted from 1."""
        self._logbook.log(metrics, epoch)

    def keep(self, outcome: Outcome) -> None:
        """Final metrics and files."""
        # Metrics before files: a disk that is full for a checkpoint still leaves the accuracies in the run.
        self._logbook.close(outcome.metrics)
        with self._guard():
            for name, file in outcome.artifacts.items():
                self._tracker.attach(self.id, file, name)

    def close(self, outcome: Outcome) -> None:
        """Ends the run with what came of it."""
        with self._guard():
            self._tracker.close(self.id, outcome.status, outcome.metadata)

    def fail(self, error: BaseException, report: Path) -> None:
        """Ends the run as failed; raises nothing, since the store itself may be what failed.

        Args:
            error: being handled.
            report: file with its traceback, which the run keeps; gets what goes wrong here, too.
        """
        try:
            with self._guard():
                self._tracker.attach(self.id, report, "failure")
                self._tracker.close(self.id, "failed", error=error_text(error))
        except Exception:
            # The training's own error stays on top: what the store said afterwards is rarely the cause.
            first = report.read_text(encoding="utf-8")
            atomic_write(report, f"{first}\nwhile recording it:\n{traceback.format_exc()}")

    def kill(self) -> None:
        """Ends the run as killed."""
        self._tracker.kill_if_open(self.id)
