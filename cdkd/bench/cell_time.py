"""Where the time of one cell goes: a short one is trained, tested and tracked as in a sweep, under a clock.

    claim -> start-up -> | decode -> transform -> teacher -> student -> losses -> backward -> optimizer |  x steps
             (networks,  | ... -> evaluation -> tracking -> checkpoints ...                              |  x epochs
              data set)  -> evaluation (test) -> tracking (files, the run's end)

Every moment of the cell is credited to exactly one part: the clock is told when another part begins, by the hooks that
PyTorch has for modules and optimizers and by wrappers around what stands between them. On a GPU it waits for the device
at each change, so that the parts are the device's own; the whole is then slower than it would be, and only the shares
count.
"""

import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from cdkd.bench.losses import random_teacher
from cdkd.bench.training import BenchError
from cdkd.callbacks import Log, RunPhase, RunProgress, silent
from cdkd.data.clips.transforms import NetworkInputs
from cdkd.data.loading.dataset import ClipDataset
from cdkd.data.loading.steps import StepClips, StepLoader
from cdkd.experiment import RUNNER, ExperimentRunner
from cdkd.experiment.build import StudentRun, assemble
from cdkd.experiment.inputs import ClipInputs
from cdkd.experiment.student import train_and_test
from cdkd.settings import EvaluationSettings, RunConfig
from cdkd.sweep.queue.cell_configuration import configurations_of
from cdkd.sweep.queue.queued_task import QueuedTask
from cdkd.sweep.queue.study_folder import HOME, StudyFolder
from cdkd.sweep.queue.trial_queue import TrialQueue
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.workers.attempt import run_claim
from cdkd.sweep.workers.cell_runner import CellRunner
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.tracker import Outcome
from cdkd.train.evaluate import Scores

NETWORK_PARTS = ("teacher", "student forward", "losses", "backward", "optimizer")
"""What a training step computes; all else is what it takes to feed, test and keep it."""
PARTS = ("start-up", "calibration", "decode", "transform", *NETWORK_PARTS, "evaluation", "tracking", "other")
_IMPORTS = "import cdkd.experiment.student, mlflow.tracking"
_STUDY, _STAGE = "bench", "cells"


@dataclass(frozen=True)
class CellTime:
    """Where a cell's time went, and what its tracking costs."""

    process_seconds: float
    """Once per worker: a process starts and imports torch and MLflow."""
    parts: dict[str, float]
    """Part -> seconds of the clocked cell, in the order of `PARTS`."""
    bare_seconds: float
    """Of the same cell without a clock and without tracking: trained and tested, nothing logged."""
    tracked_seconds: float
    """Of the same cell without a clock, as a worker runs it: claimed, tracked, settled."""
    bare_processor_seconds: float
    """As `bare_seconds`, of this process's threads: what others do on the machine changes it less."""
    tracked_processor_seconds: float

    @property
    def seconds(self) -> float:
        """Of the clocked cell."""
        return sum(self.parts.values())

    @property
    def tracking_ratio(self) -> float:
        """Tracked to bare."""
        return self.tracked_seconds / self.bare_seconds

    @property
    def processor_ratio(self) -> float:
        """The same in processor time; the store's own waiting is no part of it."""
        return self.tracked_processor_seconds / self.bare_processor_seconds

    @property
    def network_fraction(self) -> float:
        """Of the clocked cell, in its training steps' own computing."""
        return sum(self.parts[part] for part in NETWORK_PARTS) / self.seconds


class _Clock:
    """Credits the time between two calls of `enter` to the part that the first one named."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._part = "tracking"
        self._since = time.perf_counter()
        self._is_whole = False

    def enter(self, part: str) -> str:
        """Another part begins; returns the one that ends. Nothing changes within a part that counts as a whole."""
        before = self._part
        if not self._is_whole:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            now = time.perf_counter()
            self.seconds[before] += now - self._since
            self._part, self._since = part, now
        return before

    def hold(self, part: str) -> None:
        """A part that counts as a whole begins, and lasts until `let_go`."""
        self.enter(part)
        self._is_whole = True

    def let_go(self) -> None:
        """It ends, if there is one."""
        if self._is_whole:
            self._is_whole = False
            self.enter("other")

    @contextmanager
    def within(self, part: str, is_whole: bool = False) -> Iterator[None]:
        """The block is one part; with `is_whole` whatever is entered inside is part of it."""
        before, was_whole = self.enter(part), self._is_whole
        self._is_whole = was_whole or is_whole
        try:
            yield
        finally:
            self._is_whole = was_whole
            self.enter(before)


@dataclass(frozen=True)
class _ClockedSteps(StepLoader):
    clock: _Clock = field(default_factory=_Clock)

    def __iter__(self) -> Iterator[StepClips]:
        steps = super().__iter__()
        while True:
            with self.clock.within("decode"):
                clips = next(steps, None)
            if clips is None:
                return
            yield clips


@dataclass(frozen=True)
class _ClockedInputs(ClipInputs):
    clock: _Clock = field(default_factory=_Clock)
    is_to_calibrate: list[bool] = field(default_factory=list)
    """One element until the calibration has begun; empty where there is none."""

    def step_clips(
        self, source: ClipDataset, unlabelled: ClipDataset | None, epoch: int, batch_size: int
    ) -> StepLoader:
        # Units are measured on the first epoch's steps, asked for once more; all of that is one part.
        if self.is_to_calibrate:
            self.is_to_calibrate.clear()
            self.clock.hold("calibration")
        else:
            self.clock.let_go()
        steps = super().step_clips(source, unlabelled, epoch, batch_size)
        return _ClockedSteps(steps.labelled, steps.unlabelled, self.clock)

    def training(self, clips: StepClips, step: int) -> tuple[NetworkInputs, Tensor]:
        with self.clock.within("transform"):
            return super().training(clips, step)


@dataclass(frozen=True)
class _ClockedRun(StudentRun):
    clock: _Clock = field(default_factory=_Clock)

    def _scores(self, source: ClipDataset, evaluation: EvaluationSettings, progress: Any = silent) -> Scores:
        with self.clock.within("evaluation", is_whole=True):
            return super()._scores(source, evaluation, progress)


class _ClockedRunner(ExperimentRunner):
    """Trains as the real one does, and tells the clock."""

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock

    def run(self, config: RunConfig, folder: Path, log: Log, progress: RunProgress = silent) -> Outcome:
        with self._clock.within("start-up"):
            run = assemble(config, lambda metrics, epoch: None)

        def clocked_log(metrics: dict[str, float], epoch: int) -> None:
            with self._clock.within("tracking"):
                log(metrics, epoch)
            self._clock.enter("other")

        def clocked_progress(fraction: float, /, phase: RunPhase = "training") -> None:
            # A step has ended: what comes now belongs to none of its parts.
            self._clock.enter("tracking")
            progress(fraction, phase)
            self._clock.enter("other")

        with self._clock.within("other"), _hooks(run, self._clock):
            return train_and_test(_clocked(run, self._clock), folder, clocked_log, clocked_progress)


def _clocked(run: StudentRun, clock: _Clock) -> _ClockedRun:
    known = {one.name: getattr(run, one.name) for one in fields(run) if one.init}
    inputs = {one.name: getattr(run.inputs, one.name) for one in fields(run.inputs) if one.init}
    is_to_calibrate = [True] if run.calibration is not None else []
    clocked = _ClockedInputs(**inputs, clock=clock, is_to_calibrate=is_to_calibrate)
    return _ClockedRun(**{**known, "inputs": clocked}, clock=clock)


@contextmanager
def _hooks(run: StudentRun, clock: _Clock) -> Iterator[None]:
    """Tells the clock what a step is at; the backward pass is what lies between the loss and the optimizer."""

    def enters(part: str) -> Callable[..., None]:
        return lambda *_: void(clock.enter(part))

    def void(_: object) -> None:
        return None

    hooks = [
        run.objective.register_forward_pre_hook(enters("losses")),
        run.student.register_forward_pre_hook(enters("student forward")),
        run.student.register_forward_hook(enters("losses")),
        run.objective.register_forward_hook(enters("backward")),
        register_optimizer_step_pre_hook(enters("optimizer")),
        register_optimizer_step_post_hook(enters("other")),
    ]
    if run.teacher is not None:
        hooks += [
            run.teacher.register_forward_pre_hook(enters("teacher")),
            run.teacher.register_forward_hook(enters("other")),
        ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def measure_cell(
    config: RunConfig, folder: Path, repeats: int, tell: Callable[[str], None] = lambda text: None
) -> CellTime:
    """A cell's time, part by part, and with and without tracking.

    Args:
        config: what is trained; a teacher that it has no checkpoint of gets random weights.
        folder: empty; gets the tracking store and all files.
        repeats: of the comparison with and without tracking, which take turns.
        tell: called with each step before it is taken.

    Raises:
        CdkdError: the cell cannot be built.
    """
    tell("start of a process")
    began = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-c", _IMPORTS], check=True)
    process_seconds = time.perf_counter() - began
    if config.uses_teacher and config.teacher.checkpoint is None:
        path = random_teacher(config, folder / "teacher.safetensors")
        config = config.model_copy(
            update={"teacher": config.teacher.model_copy(update={"checkpoint": str(path.resolve())})}
        )
    bench = _CellBench(config, folder)
    tell("the cell, once for nothing")
    # Reads the data set's index, compiles kernels, opens the store.
    bench.tracked_seconds(RUNNER)
    seconds: dict[str, list[tuple[float, float]]] = {"bare": [], "tracked": []}
    for number in range(repeats):
        tell(f"the cell with tracking and without, {number + 1} of {repeats}")
        # In turn first and second: whoever is first finds a cooler processor.
        for kind in ("bare", "tracked") if number % 2 else ("tracked", "bare"):
            used = time.process_time()
            taken = bench.bare_seconds() if kind == "bare" else bench.tracked_seconds(RUNNER)
            seconds[kind].append((taken, time.process_time() - used))
    tell("the cell under a clock")
    clock = _Clock()
    bench.tracked_seconds(_ClockedRunner(clock))
    clock.enter("tracking")
    parts = {part: clock.seconds[part] for part in PARTS}
    bare, tracked = ([statistics.median(column) for column in zip(*seconds[kind], strict=True)] for kind in seconds)
    return CellTime(process_seconds, parts, bare[0], tracked[0], bare[1], tracked[1])


class _CellBench:
    def __init__(self, config: RunConfig, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._number = 0
        self._tracker = MlflowTracker(f"sqlite:///{folder}/mlflow.db", _STUDY, folder)
        self._tracker.prepare([_STAGE])

    def _new_folder(self) -> Path:
        self._number += 1
        folder = self._folder / str(self._number)
        folder.mkdir()
        return folder

    def bare_seconds(self) -> float:
        """Trained and tested, nothing logged."""
        folder = self._new_folder()
        began = time.perf_counter()
        RUNNER.run(self._config, folder, lambda metrics, epoch: None)
        return time.perf_counter() - began

    def tracked_seconds(self, runner: CellRunner) -> float:
        """From its claim to its settling."""
        queue = TrialQueue(StudyFolder(self._new_folder() / HOME / _STUDY))
        cell = Cell(_STAGE, {}, self._config)
        (configuration,) = configurations_of([cell])
        queue.enqueue([QueuedTask(cell.id, "cell", _STAGE, seed=cell.seed, configuration=configuration)])
        began = time.perf_counter()
        claim = queue.claim()
        assert claim is not None, "the only task of a new queue waits"
        run_claim(queue, claim, self._tracker, runner)
        seconds = time.perf_counter() - began
        (trial,) = queue.trials()
        if trial.status == "failed":
            raise BenchError(f"the cell failed: {trial.error}")
        return seconds
