"""Speed and memory of training and inference, of students and their teacher, on prepared inputs in memory."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cdkd.bench.memory import peak_mebibytes, reset_peak
from cdkd.config import build_record, merge_dotted
from cdkd.data.clips.transforms import NetworkInputs
from cdkd.distill.losses.table import ALL_OFF
from cdkd.distill.objective import build_auxiliary
from cdkd.errors import CdkdError
from cdkd.experiment.loss_modules import StudentObjective, TeacherObjective
from cdkd.experiment.runtime import accelerate, accelerate_frozen
from cdkd.experiment.sizes import build_own_teacher, num_time_steps, student_cost, teacher_channels, teacher_cost
from cdkd.models.complexity import student_shapes, teacher_shapes
from cdkd.models.devices import choose_device
from cdkd.models.student.student import CoviarStudent, Student, build_student
from cdkd.models.teacher.teacher import FrozenTeacher
from cdkd.settings import RunConfig
from cdkd.train.engine import FitConfig, autocast
from cdkd.train.optimizer import build_optimizer
from cdkd.train.processes import ALONE

_NUM_CLASSES = 101
_BASELINE: dict[str, Any] = {"student.decoder": False, "student.head": "streams", **ALL_OFF}
_PAPER: dict[str, Any] = {
    "data.input_size": 224,
    "student.streams": "paper",
    "student.shift_div": 8,
    "teacher.backbone": "resnet50",
    "teacher.shift_div": 8,
}

PRESETS: dict[str, dict[str, Any]] = {
    "shapes": {},
    "paper": _PAPER,
    "lite": {**_PAPER, "student.streams": "lite"},
    "coverage": {**_PAPER, "data.gops_per_clip": 8, "data.frames_per_gop": 1},
}
_BACKWARD = 3
"""A training step computes about three times a forward pass."""


class BenchError(CdkdError):
    """A benchmark cannot run as asked."""


@dataclass(frozen=True)
class Row:
    """One measured kind of step."""

    group: str
    name: str
    clips_per_second: float
    ratio: float
    """To the group's first row; above 1 is faster."""
    peak_memory_mebibytes: float | None
    tera_flops: float
    """Multiply-adds of convolutions and products, counted twice, per second; recomputation is not counted."""
    fraction_of_peak: float
    """Of what a large matrix product reaches on this device in this precision."""


@dataclass(frozen=True)
class Report:
    """All rows, and what they were measured on."""

    device: str
    preset: str
    precision: str
    batch_size: int
    peak_tera_flops: float
    """Of a large matrix product."""
    rows: tuple[Row, ...] = field(default=())


@dataclass(frozen=True)
class _Step:
    group: str
    name: str
    run: Callable[[], object]
    giga_macs_per_clip: float


def measure_training(preset: str, overrides: dict[str, Any], batch_size: int, repeats: int) -> Report:
    """Every row of a preset; decoding and augmentation are not part of it.

    Args:
        preset: one of `PRESETS`.
        overrides: settings by dotted key on top, for example `runtime.channels_last`.
        batch_size: clips per step.
        repeats: timed steps after two that warm up; the median counts.

    Raises:
        BenchError: an unknown preset, or a step does not fit into the device's memory.
    """
    if preset not in PRESETS:
        raise BenchError(f"--preset {preset}: unknown; known: {', '.join(PRESETS)}")
    bench = _Bench(merge_dotted(merge_dotted({}, PRESETS[preset]), overrides), batch_size)
    peak = _matmul_tera_flops(bench.device, bench.fit_config, repeats)
    rows: list[Row] = []
    # Built one after another, so that each one's memory is its own.
    for build in (bench.teacher_inference, bench.baseline_inference, bench.student_inference, bench.baseline_training,
                  bench.student_training, bench.distillation, bench.teacher_training):  # fmt: skip
        rows.append(_measure(build, bench, repeats, peak, rows))
    on_gpu = bench.device.type == "cuda"
    device = torch.cuda.get_device_name(bench.device) if on_gpu else f"cpu, {torch.get_num_threads()} threads"
    return Report(device, preset, bench.precision, batch_size, peak, tuple(rows))


def measure_step(config: RunConfig, batch_size: int, repeats: int) -> float:
    """Clips per second of a run's own training step, with its teacher where a loss needs one.

    Raises:
        BenchError: the step does not fit into the device's memory.
    """
    bench = _Bench(config.model_dump(mode="json"), batch_size)
    return _measure(bench.distillation, bench, repeats, 1.0, []).clips_per_second


def _measure(build: Callable[[], _Step], bench: "_Bench", repeats: int, peak: float, rows: list[Row]) -> Row:
    is_peak_known = reset_peak(bench.device)
    try:
        step = build()
        seconds = _median_seconds(step.run, bench.device, repeats)
    except torch.OutOfMemoryError as error:
        raise BenchError(
            f"{bench.batch_size} clips do not fit into the memory of {bench.device}; lower --batch-size"
        ) from error
    speed = bench.batch_size / seconds
    first = next((row.clips_per_second for row in rows if row.group == step.group), speed)
    # A multiply-add is two operations; giga to tera.
    flops = 2 * step.giga_macs_per_clip * speed / 1e3
    memory = peak_mebibytes(bench.device) if is_peak_known else None
    return Row(step.group, step.name, speed, speed / first, memory, flops, flops / peak)


def _median_seconds(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    seconds = []
    for _ in range(repeats + 2):
        started = time.perf_counter()
        run()
        if device.type == "cuda":
            # A GPU is given its work and goes on alone; without waiting, only the giving would be timed.
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
    # The first two compile kernels, choose algorithms and fill the allocator.
    return statistics.median(seconds[2:])


def _matmul_tera_flops(device: torch.device, fit_config: FitConfig, repeats: int) -> float:
    side = 8192 if device.type == "cuda" else 1024
    left, right = torch.randn(side, side, device=device), torch.randn(side, side, device=device)
    with autocast(fit_config):
        # What autocast makes of a product; the numbers are brought to it beforehand, so that no conversion is timed.
        dtype = (left[:2, :2] @ right[:2, :2]).dtype
    left, right = left.to(dtype), right.to(dtype)
    return float(2 * side**3 / _median_seconds(lambda: left @ right, device, repeats) / 1e12)


class _Bench:
    """The networks and inputs of one preset."""

    def __init__(self, values: dict[str, Any], batch_size: int) -> None:
        self.values = values
        self.batch_size = batch_size
        self.config = build_record(RunConfig, values)
        self.device = choose_device(self.config.runtime.device)
        self.fit_config = FitConfig(self.config.train, 0, self.device, Path())
        torch.set_num_threads(self.config.runtime.num_threads)
        with autocast(self.fit_config):
            self.precision = str((torch.ones(2, 2, device=self.device) @ torch.ones(2, 2, device=self.device)).dtype)
        self.labels = torch.arange(batch_size, device=self.device) % _NUM_CLASSES

    def baseline_inference(self) -> _Step:
        return self._student_inference("three streams without decoder", self._with(_BASELINE))

    def student_inference(self) -> _Step:
        return self._student_inference("student", self.config)

    def baseline_training(self) -> _Step:
        return self._student_training("three streams without decoder, no teacher", self._with(_BASELINE))

    def student_training(self) -> _Step:
        return self._student_training("student, no teacher", self._with(ALL_OFF))

    def distillation(self) -> _Step:
        return self._student_training("student with teacher", self.config)

    def teacher_inference(self) -> _Step:
        teacher = self._frozen()
        frames = self._inputs(window=1, seen=teacher.window).frames
        return _Step("inference", "teacher", self._inference(lambda: teacher(frames)), self._teacher_macs())

    def teacher_training(self) -> _Step:
        config = self.config
        network = build_own_teacher(config, _NUM_CLASSES)
        accelerate(network, config.runtime, config.teacher.train, ALONE, self.device)
        objective = TeacherObjective(network, 0.0)
        frames = self._inputs(window=1, seen=network.window).frames
        run = self._training(network, lambda: objective(frames, self.labels).total)
        return _Step("training", "teacher", run, _BACKWARD * self._teacher_macs())

    def _with(self, changes: dict[str, Any]) -> RunConfig:
        return build_record(RunConfig, merge_dotted(self.values, changes))

    def _student(self, config: RunConfig) -> Student | CoviarStudent:
        student = build_student(
            config.student,
            num_classes=_NUM_CLASSES,
            num_gops=config.data.gops_per_clip,
            frames_per_gop=config.data.frames_per_gop,
            teacher_channels=teacher_channels(config),
        )
        accelerate(student, config.runtime, config.train, ALONE, self.device)
        return student

    def _frozen(self, map_stride: int | None = None) -> FrozenTeacher:
        teacher = FrozenTeacher(build_own_teacher(self.config, _NUM_CLASSES), map_stride)
        accelerate_frozen(teacher, self.config.runtime, self.device)
        return teacher

    def _student_inference(self, name: str, config: RunConfig) -> _Step:
        student = self._student(config).eval()
        inputs = self._inputs(student.window, seen=0)
        run = self._inference(lambda: student(inputs.iframes, inputs.motion, inputs.residual))
        return _Step("inference", name, run, self._student_macs(config))

    def _student_training(self, name: str, config: RunConfig) -> _Step:
        student = self._student(config)
        teacher = self._frozen(student.map_stride) if config.uses_teacher else None
        auxiliary = build_auxiliary(config.distill, teacher_channels(config)).to(self.device)
        objective = StudentObjective(student, auxiliary, config, ALONE)
        inputs = self._inputs(student.window, 0 if teacher is None else teacher.window)

        def loss() -> Tensor:
            known = None if teacher is None else teacher(inputs.frames)
            total: Tensor = objective(inputs, known, self.labels).total
            return total

        macs = _BACKWARD * self._student_macs(config) + (self._teacher_macs() if teacher is not None else 0.0)
        return _Step("training", name, self._training(student, loss, auxiliary), macs)

    def _inference(self, forward: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            with torch.inference_mode(), autocast(self.fit_config):
                forward()

        return run

    def _training(
        self, network: nn.Module, loss: Callable[[], Tensor], auxiliary: nn.Module | None = None
    ) -> Callable[[], None]:
        network.train()
        optimizer = build_optimizer(network, self.config.train, auxiliary)

        def run() -> None:
            with autocast(self.fit_config):
                total = loss()
            total.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        return run

    def _inputs(self, window: int, seen: int) -> NetworkInputs:
        data = self.config.data
        shapes = student_shapes(self.batch_size, data.gops_per_clip, data.frames_per_gop, window, data.input_size)
        shapes += teacher_shapes(self.batch_size, num_time_steps(self.config), seen, data.input_size)
        return NetworkInputs(*(torch.randn(shape, device=self.device) for shape in shapes))

    def _student_macs(self, config: RunConfig) -> float:
        return student_cost(config, _NUM_CLASSES).gmacs_per_view

    def _teacher_macs(self) -> float:
        return teacher_cost(self.config, _NUM_CLASSES).gmacs_per_view
