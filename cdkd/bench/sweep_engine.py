"""What the sweep engine costs by itself: real commands over cells that end at once, and claims from a long queue.

a cell     (end of the last - start of the first) / cells of `cdkd sweep --workers 0`, beside the bare writing of
           such a run to the same kind of store
planning   `cdkd plan` of many cells, beside that of one: seconds and memory of the process
start      from the call of `cdkd sweep` to the start of its first cell, in a store whose tables exist
claim      median over claims from a queue of so many waiting cells, each settled before the next
workers    cells per second between the first start and the last end, as workers share the queue
"""

import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from cdkd.bench.idle_runner import MARK, REFERENCE
from cdkd.bench.training import BenchError
from cdkd.config import build_record, merge_dotted
from cdkd.distill.losses.table import ALL_OFF
from cdkd.experiment.identity import logged_settings
from cdkd.settings import RunConfig
from cdkd.sweep.queue.cell_configuration import configurations_of
from cdkd.sweep.queue.queued_task import QueuedTask, Trial
from cdkd.sweep.queue.study_folder import HOME, StudyFolder
from cdkd.sweep.queue.trial_queue import TrialQueue
from cdkd.sweep.study.cell import Cell
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.tracker import LoggedEpoch, RunStart

_BARE = {"student.decoder": False, "student.head": "streams", **ALL_OFF}
"""A network that needs no teacher."""
_CLAIMS = 15
_STAGE = "cells"
_PATIENCE_SECONDS = 600.0
_LAUNCHER = """
import os, sys, time
began = time.perf_counter()
output = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
actions = [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
process = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ, file_actions=actions)
_, status, usage = os.wait4(process, 0)
print(os.waitstatus_to_exitcode(status), time.perf_counter() - began, usage.ru_maxrss)
"""
"""Runs a command; prints its exit status, seconds, and peak memory in KiB."""


@dataclass(frozen=True)
class EngineRow:
    """One measured thing."""

    group: str
    name: str
    value: float
    unit: str
    ratio: float
    """To the group's first row."""
    target: str = ""


@dataclass(frozen=True)
class EngineSettings:
    """On how much it is measured."""

    num_cells: int = 200
    """That are run."""
    num_planned: int = 10_000
    """That are planned, and that the first one's start is measured among; a square number."""
    queue_lengths: tuple[int, ...] = (100, 1_000, 10_000)
    num_workers: int = 4
    storage: str | None = None
    """PostgreSQL address, for claims and workers; None: the journal's."""


def measure_engine(settings: EngineSettings, tell: Callable[[str], None] = lambda text: None) -> list[EngineRow]:
    """All groups.

    Args:
        settings: how much.
        tell: called with each group before it is measured.

    Raises:
        BenchError: a command failed; the text has its last lines.
    """
    with tempfile.TemporaryDirectory(prefix="cdkd-bench-") as name:
        bench = _Bench(Path(name), settings)
        rows: list[EngineRow] = []
        for group, measure in (
            ("a cell that does nothing", bench.idle_cell),
            ("cdkd plan", bench.planning),
            ("memory of cdkd plan", bench.planning_memory),
            ("start of the first cell", bench.first_start),
            ("claim", bench.claims),
            ("cells that do nothing, by workers", bench.throughput),
        ):
            tell(group)
            found = list(measure())
            rows += [
                EngineRow(group, what, value, unit, value / found[0][1], goal) for what, value, unit, goal in found
            ]
        return rows


_Found = tuple[str, float, str, str]
"""Name, value, unit, target."""


class _Bench:
    def __init__(self, folder: Path, settings: EngineSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._store = folder / "template.db"
        MlflowTracker(f"sqlite:///{self._store}", "template", folder).prepare([])
        self._memory: list[_Found] = []

    def idle_cell(self) -> Iterator[_Found]:
        """The store alone, then a sweep in one process."""
        number = self._settings.num_cells
        yield "its run written to the tracking store, nothing else", 1e3 * self._seconds_per_bare_run(number), "ms", ""
        trials = self._sweep("one", number, "--workers", "0")
        yield "cdkd sweep --workers 0", 1e3 * _seconds(trials) / number, "ms", "at most 50"

    def _seconds_per_bare_run(self, number: int) -> float:
        work = self._place("bare")
        tracker = MlflowTracker(f"sqlite:///{work}/mlflow.db", "bare", work)
        tracker.prepare([_STAGE])
        config = _configuration()
        file = work / "config.yaml"
        file.write_text(config.model_dump_json())
        start = RunStart("cell", "bare", _STAGE, "cell", "0" * 12, 0, 1, "", logged_settings(config))
        began = time.perf_counter()
        for _ in range(number):
            run = tracker.open(start)
            tracker.attach(run, file)
            tracker.log(run, [LoggedEpoch(1, {"train/loss": 1.0, "validation/top1": 50.0})])
            tracker.close(run, "finished")
        return (time.perf_counter() - began) / number

    def planning(self) -> Iterator[_Found]:
        """Few cells, then many."""
        for number, target in ((1, ""), (self._settings.num_planned, "at most 1")):
            seconds, mebibytes = self._plan(number)
            self._memory.append((f"{number:,} cells", mebibytes, "MB", "at most 100" if target else ""))
            yield f"{number:,} cells", seconds, "s", target

    def planning_memory(self) -> Iterator[_Found]:
        """Of the same processes."""
        yield from self._memory

    def _plan(self, number: int) -> tuple[float, float]:
        work = self._place(f"plan-{number}", with_store=False)
        file = _study(work, "planned", number)
        output = work / "plan.txt"
        # A small process starts the command, since one that is forked counts its parent's memory as its own.
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(output), *_cdkd("plan", str(file))],
            cwd=work,
            stdout=subprocess.PIPE,
            check=True,
        )
        status, seconds, kibibytes = done.stdout.split()
        if int(status):
            raise _failed("cdkd plan", output)
        return float(seconds), float(kibibytes) / 2**10

    def first_start(self) -> Iterator[_Found]:
        """Of a study of one cell, then of many."""
        for number, target in ((1, ""), (self._settings.num_planned, "at most 5")):
            yield f"of {number:,}", self._seconds_to_first_start(number), "s", target

    def _seconds_to_first_start(self, number: int) -> float:
        work = self._place(f"start-{number}")
        file, mark, log = _study(work, "started", number), work / "mark", work / "sweep.txt"
        began = time.time()
        with log.open("w") as output:
            process = subprocess.Popen(
                _cdkd("sweep", str(file), "--runner", REFERENCE, "--no-report", "--workers", "1"),
                cwd=work,
                env=_environment(work) | {MARK: str(mark)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                while not mark.exists() and process.poll() is None and time.time() - began < _PATIENCE_SECONDS:
                    time.sleep(0.01)
                seconds = time.time() - began
            finally:
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(30.0)
                process.kill()
                process.wait()
        if not mark.exists():
            raise _failed("cdkd sweep", log)
        return seconds

    def claims(self) -> Iterator[_Found]:
        """From queues of growing length."""
        place = "PostgreSQL" if self._settings.storage else "journal"
        for number in self._settings.queue_lengths:
            with self._queue(f"claims-{number}") as queue:
                seconds = _seconds_per_claim(queue, number)
            yield f"from {number:,} waiting cells, {place}", 1e3 * seconds, "ms", "that of few"

    @contextlib.contextmanager
    def _queue(self, name: str) -> Iterator[TrialQueue]:
        # A name that no other study of the database has; the folder's name is the study's.
        folder = StudyFolder(self._folder / HOME / f"bench-{name}-{uuid4().hex[:8]}")
        folder.use_storage(self._settings.storage)
        queue = TrialQueue(folder)
        try:
            yield queue
        finally:
            queue.remove()

    def throughput(self) -> Iterator[_Found]:
        """One worker, then several."""
        number, many = self._settings.num_cells, self._settings.num_workers
        storage = self._settings.storage
        place, options = ("PostgreSQL", ["--storage", storage]) if storage else ("journal", [])
        for workers in (1, many):
            trials = self._sweep(f"by-{workers}", number, "--workers", str(workers), *options)
            who = f"{workers} worker{'s' * (workers > 1)}, {number:,} cells, {place}"
            yield who, number / _seconds(trials), "cells/s", "at least 10" if workers == many else ""

    def _sweep(self, name: str, number: int, *options: str) -> list[Trial]:
        work = self._place(name)
        study = f"bench-{name}-{uuid4().hex[:8]}"
        file, log = _study(work, study, number), work / "sweep.txt"
        with log.open("w") as output:
            done = subprocess.run(
                _cdkd("sweep", str(file), "--runner", REFERENCE, "--no-report", *options),
                cwd=work,
                env=_environment(work),
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise _failed("cdkd sweep", log)
        queue = TrialQueue(StudyFolder(work / HOME / study))
        trials = queue.trials()
        queue.remove()
        return trials

    def _place(self, name: str, with_store: bool = True) -> Path:
        """A working folder, with a tracking store whose tables exist."""
        work = self._folder / name
        work.mkdir()
        if with_store:
            shutil.copyfile(self._store, work / "mlflow.db")
        return work


def _cdkd(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "cdkd", *words]


def _environment(work: Path) -> dict[str, str]:
    return {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{work}/mlflow.db"}


def _failed(what: str, log: Path) -> BenchError:
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
    return BenchError(f"{what} did not end well:\n{tail}")


def _study(work: Path, name: str, number: int) -> Path:
    """A study file of so many cells: rows of seeds, as many of one as of the other where that divides evenly."""
    rows = next(rows for rows in range(int(number**0.5), 0, -1) if number % rows == 0)
    rates = ", ".join(f"{0.001 * (row + 1):.6g}" for row in range(rows))
    base = ", ".join(f"{key}: {str(value).lower()}" for key, value in _BARE.items())
    file = work / "study.yaml"
    file.write_text(
        f"study: {name}\nbase: {{{base}}}\nseeds: {number // rows}\n"
        f"stages:\n  - name: {_STAGE}\n    axes: {{train.learning_rate: [{rates}]}}\n"
    )
    return file


def _configuration() -> RunConfig:
    return build_record(RunConfig, merge_dotted({}, _BARE))


def _seconds(trials: list[Trial]) -> float:
    starts = [trial.started.timestamp() for trial in trials if trial.started is not None]
    ends = [trial.ended.timestamp() for trial in trials if trial.ended is not None]
    return max(ends) - min(starts)


def _seconds_per_claim(queue: TrialQueue, number: int) -> float:
    (configuration,) = configurations_of([Cell(_STAGE, {}, _configuration())])
    queue.enqueue([QueuedTask(f"{one:012x}", "cell", _STAGE, configuration=configuration) for one in range(number)])
    seconds = []
    for _ in range(_CLAIMS + 1):
        began = time.perf_counter()
        claim = queue.claim()
        seconds.append(time.perf_counter() - began)
        assert claim is not None, "there are more cells than claims"
        queue.note(claim.trial.number, status="finished", value=0.0)
        queue.finish(claim.trial.number, 0.0)
        claim.lock.release()
    # The first reads what was enqueued.
    return statistics.median(seconds[1:])
