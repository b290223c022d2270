"""One attempt at a training as a tracking store sees it: opened, fed epoch by epoch, and ended in one of four ways."""

import contextlib
import logging
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import yaml

from cdkd.atomic_write import atomic_write
from cdkd.callbacks import SECONDS
from cdkd.effective_settings import CONTENT
from cdkd.errors import CdkdError
from cdkd.settings import RunConfig
from cdkd.tracking.environment import MachineSampler
from cdkd.tracking.logbook import Logbook, Metrics
from cdkd.tracking.run_log import RunLog
from cdkd.tracking.store_sender import StoreSender, Tell
from cdkd.tracking.tracker import LoggedEpoch, Outcome, RunStart, Tracker

logger = logging.getLogger(__name__)

TEACHERS_STAGE = "teachers"
"""Stage that the runs of teachers belong to."""
LOG_FILE = "log.txt"
"""With every run that came to an end of its own."""
_SECONDS_TO_KILL = 1.5
"""What a store gets to note that a run was killed: the process is to end within a few seconds."""
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


def _yaml(values: Mapping[str, Any]) -> str:
    # libyaml's writer, where PyYAML was built with it, takes a tenth of the time: 15 ms of every cell.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(values, Dumper=dumper, sort_keys=False))


def error_text(error: BaseException) -> str:
    """What lists say of an error: its message alone where it is written for users, else its type as well."""
    if isinstance(error, CdkdError):
        return str(error)
    return "".join(traceback.format_exception_only(error)).strip()


class TrackedRun:
    """A run in the store, written to by a thread of its own (`store_sender.py`) from its construction on.

        log ... log -> keep -> close    it has a result
                       fail             an error ended it
                       kill             its process was asked to stop

    `log` returns at once, and so does the construction: neither waits for the store. `keep`, `close`, `fail` and `id`
    do, however long it is away. A signal may interrupt them at any moment, since the writing is not theirs.

    Args:
        tracker: of the run's study, prepared for its stage.
        start: what is known before the first epoch.
        book: keeps the metrics for later attempts, so that each shows the whole curve; its folder is made.
        tell: called when the store is away and when it is back.
    """

    def __init__(self, tracker: Tracker, start: RunStart, book: Path, tell: Tell = logger.warning) -> None:
        self._tracker = tracker
        self._book = book
        self.seconds: dict[str, float] = {}
        """Where the time of this attempt's epochs went, summed over them; keys of `SECONDS`."""
        self._sender = StoreSender(tell)
        self._sampler = MachineSampler()
        self._run_log = RunLog()
        self._run_log.add(f"{start.label}, seed {start.seed}, attempt {start.attempt} of {start.study}")
        self._unsent: list[LoggedEpoch] = []
        self._unsent_lock = threading.Lock()
        self._opened = self._sender.submit(partial(tracker.open, start))
        self._pending: list[Future[None]] = []

    @property
    def id(self) -> str:
        """The run's; waits until the store has it."""
        return self._opened.result()

    @cached_property
    def _logbook(self) -> Logbook:
        """Opened when it is needed: until then, another process may write it."""
        self._book.parent.mkdir(parents=True, exist_ok=True)
        return Logbook(self._book, self._send)

    def _send(self, history: Sequence[LoggedEpoch]) -> None:
        with self._unsent_lock:
            self._unsent += history
        self._submit(self._send_all)

    def _send_all(self) -> None:
        """All epochs that were logged while the store was busy, in one batch."""
        with self._unsent_lock:
            history = list(self._unsent)
        if history:
            self._tracker.log(self.id, history)
            # After it is written: while the store is away they stay, and are sent with what has come meanwhile.
            with self._unsent_lock:
                del self._unsent[: len(history)]

    def _submit(self, operation: Callable[[], None]) -> None:
        self._pending.append(self._sender.submit(operation))

    def _wait(self) -> None:
        """Until all is written; raises what the store has refused."""
        while self._pending:
            self._pending[0].result()
            del self._pending[0]

    def attach_configuration(self, config: RunConfig) -> None:
        """Keeps the whole configuration as `config.yaml`."""
        values: dict[str, Any] = config.model_dump(mode="json")
        self._submit(partial(self._attach_text, "config.yaml", _yaml(values)))

    def _attach_text(self, name: str, text: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_text(text, encoding="utf-8")
            self._tracker.attach(self.id, file)

    def log(self, metrics: Metrics, epoch: int) -> None:
        """One epoch's metrics, epochs counted from 1; in the book when this returns, in the store soon."""
        for name in SECONDS.keys() & metrics.keys():
            self.seconds[name] = self.seconds.get(name, 0.0) + metrics[name]
        self._logbook.log(metrics, epoch)
        self._run_log.add_epoch(epoch, metrics)
        # Not in the book: another attempt may go on elsewhere.
        self._send([LoggedEpoch(epoch, self._sampler.sample())])

    @property
    def last_logged(self) -> LoggedEpoch:
        """The last epoch in the book; epoch 0 before the first."""
        return self._logbook.last

    def keep(self, outcome: Outcome) -> None:
        """Final metrics, files and provenance: all that a result needs but its end."""
        # Metrics before files: a disk that is full for a checkpoint still leaves the accuracies in the run.
        self._logbook.close(outcome.metrics)
        for name, file in outcome.artifacts.items():
            self._submit(partial(self._attach, file, name))
        self._run_log.add_epoch(self.last_logged.epoch, outcome.metrics)
        self._submit(partial(self._attach_text, LOG_FILE, self._run_log.end()))
        self._submit(lambda: self._tracker.keep_metadata(self.id, outcome.metadata))
        self._wait()

    def _attach(self, file: Path, folder: str) -> None:
        self._tracker.attach(self.id, file, folder)

    def close(self, outcome: Outcome) -> None:
        """Ends the run, after `keep`."""
        self._submit(lambda: self._tracker.close(self.id, outcome.status))
        self._wait()
        self._sender.end()

    def fail(self, error: BaseException, report: Path) -> None:
        """Ends the run as failed; raises no error of the store's, since the store itself may be what failed.

        Args:
            error: being handled.
            report: file with its traceback, which the run keeps; gets what goes wrong here, too.
        """
        # What was refused before does not keep the run from its end.
        self._pending.clear()
        self._run_log.add(f"failed: {error_text(error)}")
        self._submit(partial(self._attach, report, "failure"))
        self._submit(partial(self._attach_text, LOG_FILE, self._run_log.end()))
        self._submit(lambda: self._tracker.close(self.id, "failed", error=error_text(error)))
        try:
            self._wait()
        except Exception:
            # The training's own error stays on top: what the store said afterwards is rarely the cause.
            first = report.read_text(encoding="utf-8")
            atomic_write(report, f"{first}\nwhile recording it:\n{traceback.format_exc()}")
        self._sender.end()

    def kill(self) -> None:
        """Ends the run as killed, where the store answers soon; else whoever looks for abandoned runs does."""
        self._run_log.end()
        self._sender.give_up()
        done = self._sender.submit(lambda: self._tracker.kill_if_open(self.id))
        self._sender.end()
        with contextlib.suppress(Exception):
            done.result(timeout=_SECONDS_TO_KILL)
