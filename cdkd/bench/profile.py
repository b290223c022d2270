"""What the networks of the paper cost: counted per view, and measured on this machine on request."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import nn

from cdkd.bench.memory import peak_mebibytes, reset_peak
from cdkd.models.complexity import (
    Complexity,
    student_complexity,
    student_shapes,
    teacher_complexity,
    teacher_shapes,
)
from cdkd.models.devices import choose_device
from cdkd.models.errors import ModelError
from cdkd.models.student.student import CoviarStudent, Student, build_student
from cdkd.models.teacher.teacher import Teacher, build_teacher
from cdkd.settings import StudentSettings, TeacherSettings

NUM_CLASSES = 400
"""Kinetics-400; the classifier's share of the cost is below 0.01 %."""
_TEACHER_CHANNELS = 2048
PRECISIONS: dict[str, torch.dtype | None] = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class StudentProfile:
    """A student at 224 pixels, and what the paper prints for it."""

    settings: StudentSettings
    num_gops: int
    frames_per_gop: int
    published_gmacs: float | None = None
    note: str = ""

    def complexity(self, size: int) -> Complexity:
        """Counted for pictures of `size` pixels."""
        return student_complexity(
            self.settings,
            num_classes=NUM_CLASSES,
            num_gops=self.num_gops,
            frames_per_gop=self.frames_per_gop,
            teacher_channels=_TEACHER_CHANNELS,
            size=size,
        )

    def build(self) -> Student | CoviarStudent:
        """The network, with random weights."""
        return build_student(
            self.settings,
            num_classes=NUM_CLASSES,
            num_gops=self.num_gops,
            frames_per_gop=self.frames_per_gop,
            teacher_channels=_TEACHER_CHANNELS,
        )

    def shapes(self, window: int, batch: int, size: int) -> tuple[tuple[int, ...], ...]:
        """Of the inputs of `batch` clips, for a network that reads `window` frames per time step."""
        return student_shapes(batch, self.num_gops, self.frames_per_gop, window, size)


@dataclass(frozen=True)
class TeacherProfile:
    """A teacher at 224 pixels, and what its authors print for it."""

    settings: TeacherSettings
    num_segments: int
    published_gmacs: float | None = None
    note: str = ""

    def complexity(self, size: int) -> Complexity:
        """Counted for pictures of `size` pixels."""
        return teacher_complexity(self.settings, num_classes=NUM_CLASSES, num_segments=self.num_segments, size=size)

    def build(self) -> Teacher:
        """The network, with random weights."""
        return build_teacher(self.settings, num_classes=NUM_CLASSES, num_segments=self.num_segments)

    def shapes(self, window: int, batch: int, size: int) -> tuple[tuple[int, ...], ...]:
        """Of the inputs of `batch` clips, for a network that reads `window` frames per time step."""
        return teacher_shapes(batch, self.num_segments, window, size)


def _paper(**changes: object) -> StudentSettings:
    return StudentSettings.model_validate({"streams": "paper", "shift_div": 8, **changes})


_BASELINE: dict[str, object] = {"decoder": False, "head": "streams"}
_TDN_NOTE = "the paper's figure follows from no number of P-frames that also fits its TSM rows; ours is what we count"


def _teacher(arch: str) -> TeacherSettings:
    return TeacherSettings.model_validate({"arch": arch, "backbone": "resnet50", "shift_div": 8})


PROFILES: dict[str, StudentProfile | TeacherProfile] = {
    "student-tsm-baseline": StudentProfile(_paper(**_BASELINE), 1, 6, 52.5),
    "student-tsm": StudentProfile(_paper(), 1, 6, 58.0),
    "student-tdn-baseline": StudentProfile(_paper(arch="tdn", **_BASELINE), 1, 6, 86.0, _TDN_NOTE),
    "student-tdn": StudentProfile(_paper(arch="tdn"), 1, 6, 92.0, _TDN_NOTE),
    "student-tsm-lite-baseline": StudentProfile(_paper(streams="lite", **_BASELINE), 1, 6),
    "student-tsm-lite": StudentProfile(_paper(streams="lite"), 1, 6),
    "student-tsm-g3p2": StudentProfile(_paper(), 3, 2),
    "student-tsm-g8p1": StudentProfile(_paper(), 8, 1),
    "coviar": StudentProfile(
        _paper(model="coviar", streams="coviar", **_BASELINE), 3, 1, None, "three TSN segments of one triple each"
    ),
    "teacher-tsm-8f": TeacherProfile(_teacher("tsm"), 8, 33.0),
    "teacher-tsm-16f": TeacherProfile(_teacher("tsm"), 16, 65.0),
    "teacher-tdn-8f": TeacherProfile(_teacher("tdn"), 8, 36.0),
    "teacher-tdn-16f": TeacherProfile(_teacher("tdn"), 16, 72.0),
    "teacher-mvit_v2_s": TeacherProfile(_teacher("mvit_v2_s"), 16, 64.2),
    "teacher-swin3d_t": TeacherProfile(_teacher("swin3d_t"), 16, None, "fed with 32 frames"),
    "teacher-s3d": TeacherProfile(_teacher("s3d"), 16, None, "fed with 16 frames"),
    "teacher-r2plus1d_18": TeacherProfile(_teacher("r2plus1d_18"), 16, None, "fed with 16 frames"),
}


@dataclass(frozen=True)
class Measurement:
    """What one network took on one device."""

    device: str
    precision: str
    batch_size: int
    latency_milliseconds: float
    """Median of one forward pass over one clip."""
    clips_per_second: float
    """At `batch_size`."""
    peak_memory_mebibytes: float | None
    """Of the device's allocator on a GPU, of the process on a CPU; None where the system does not say."""


@dataclass(frozen=True)
class Record:
    """One line of the table."""

    name: str
    gmacs_per_view: float
    parameters: int
    published_gmacs_per_view: float | None
    views: int
    gmacs_per_video: float
    input_size_pixels: int
    note: str
    measured: Measurement | None

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class MeasureSettings:
    """How to measure."""

    device: str = "cpu"
    precision: str = "fp32"
    """One of `PRECISIONS`."""
    batch_size: int = 1
    repeats: int = 5
    """Timed passes after one that warms up."""


def profile(
    names: Sequence[str] = (), *, size: int = 224, views: int = 1, measure: MeasureSettings | None = None
) -> list[Record]:
    """The records of the named networks, of all without names.

    Raises:
        ModelError: an unknown name.
    """
    unknown = [name for name in names if name not in PROFILES]
    if unknown:
        raise ModelError(f"unknown network '{unknown[0]}'; known: {', '.join(PROFILES)}")
    records = []
    for name in names or PROFILES:
        entry = PROFILES[name]
        complexity = entry.complexity(size)
        records.append(
            Record(
                name=name,
                gmacs_per_view=complexity.gmacs_per_view,
                parameters=complexity.parameters,
                # Published figures are of 224 pixels, and say nothing about others.
                published_gmacs_per_view=entry.published_gmacs if size == 224 else None,
                views=views,
                gmacs_per_video=complexity.gmacs_per_view * views,
                input_size_pixels=size,
                note=entry.note,
                measured=None if measure is None else _measure(entry, size, measure),
            )
        )
    return records


def _measure(entry: StudentProfile | TeacherProfile, size: int, settings: MeasureSettings) -> Measurement:
    device = choose_device(settings.device, "--device")
    network = entry.build().eval().to(device)
    is_peak_known = reset_peak(device)
    # One clip for the latency, a batch for the throughput: a batch hides what each call costs.
    single = _seconds_per_pass(network, entry.shapes(network.window, 1, size), device, settings)
    batched = single
    if settings.batch_size > 1:
        batched = _seconds_per_pass(network, entry.shapes(network.window, settings.batch_size, size), device, settings)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    return Measurement(
        device=name,
        precision=settings.precision,
        batch_size=settings.batch_size,
        latency_milliseconds=single * 1e3,
        clips_per_second=settings.batch_size / batched,
        peak_memory_mebibytes=peak_mebibytes(device) if is_peak_known else None,
    )


def _seconds_per_pass(
    network: nn.Module, shapes: tuple[tuple[int, ...], ...], device: torch.device, settings: MeasureSettings
) -> float:
    """Median over the repeats."""
    inputs = [torch.randn(shape, device=device) for shape in shapes]
    dtype = PRECISIONS[settings.precision]
    seconds = []
    with torch.inference_mode(), torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None):
        for _ in range(settings.repeats + 1):
            start = time.perf_counter()
            network(*inputs)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])
