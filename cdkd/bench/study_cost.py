"""What a study will cost before it is run: multiply-adds of every training and test, GPU hours, disk.

Counted is what convolutions and matrix products do, in multiply-adds; a training step counts as three forward passes.

    work       cells x epochs x clips, unlabelled ones too, x (3 student + teacher), validation and test: videos x
               views x student, teachers the same with 3 teacher
    hours      work / (clips per second x multiply-adds per clip) of the one step whose speed is known; all other work
               is taken to go at the same multiply-adds per second
    disk       videos x mean seconds x bytes per second; records of the packed cache: groups of pictures x bytes each
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cdkd.bench.training import BenchError
from cdkd.data.annotations.catalog import dataset_spec
from cdkd.effective_settings import effective_settings
from cdkd.experiment.inputs import resolve_evaluation
from cdkd.experiment.sizes import num_time_steps, student_cost, teacher_cost
from cdkd.models.complexity import Complexity
from cdkd.settings import (
    DataSettings,
    EvaluationSettings,
    OptimizerSettings,
    RunConfig,
    StudentSettings,
    TeacherSettings,
    flat_settings,
)

_FORWARD_PASSES_PER_STEP = 3
_BYTES_PER_FRAME = 3.5e3
"""Of a prepared video, about 320 x 256 pixels at quantiser 3: measured on 13 s of a street."""
_GOP_FRAMES = 12
_BYTES_PER_PIXEL_AND_GOP = {6: 57.0, 11: 103.0}
"""P-frames -> bytes of the packed cache per pixel of a frame, the teacher's frames included: measured on the same."""
_PREPARED_PIXELS = 320 * 256
_ANY_STUDENT = StudentSettings()
"""A teacher costs the same whoever learns from it."""


@dataclass(frozen=True)
class Footage:
    """What a data set's videos are on average."""

    mean_seconds: float
    frames_per_second: float
    num_videos: dict[str, int] | None = None
    """Part -> videos, where copies differ from what was published and the table of data sets has no counts."""

    @property
    def frames(self) -> float:
        """Per video."""
        return self.mean_seconds * self.frames_per_second


FOOTAGE: dict[str, Footage] = {
    "ucf101": Footage(7.2, 25.0),
    "hmdb51": Footage(3.2, 30.0),
    "kinetics400": Footage(10.0, 27.0, {"train": 240_000, "test": 20_000}),
    "ssv2": Footage(3.8, 12.0),
}
"""From the publishers' descriptions, rounded."""


@dataclass(frozen=True)
class NetworkCost:
    """One network of the study."""

    name: str
    gmacs_per_view: float
    views: int
    parameters: int

    @property
    def gmacs_per_video(self) -> float:
        """Of a test video."""
        return self.gmacs_per_view * self.views


@dataclass(frozen=True)
class Work:
    """One kind of work of the whole study."""

    name: str
    num_runs: int
    clips: float
    """Clips, or views, over all runs."""
    exa_macs: float
    """10^18 multiply-adds."""


@dataclass(frozen=True)
class Disk:
    """What is stored of the data set."""

    num_videos: int
    mean_seconds: float
    prepared_gigabytes: float
    packed_gigabytes: float


@dataclass(frozen=True)
class StudyCost:
    """All of it."""

    networks: tuple[NetworkCost, ...]
    work: tuple[Work, ...]
    reference: str
    """The step whose speed stands for all."""
    reference_gmacs: float
    """Of one clip in that step."""
    clips_per_second: float | None
    disk: Disk | None
    """None: nothing is known of how long the videos are."""

    @property
    def exa_macs(self) -> float:
        """Of all work."""
        return sum(part.exa_macs for part in self.work)

    def hours(self, exa_macs: float) -> float | None:
        """Device hours of some work; None where no speed is known."""
        if self.clips_per_second is None:
            return None
        return exa_macs * 1e9 / (self.clips_per_second * self.reference_gmacs) / 3600


def study_cost(configs: Sequence[RunConfig], clips_per_second: float | None = None) -> StudyCost:
    """The cost of these runs and of the teachers that they need.

    Args:
        configs: of all cells; equal ones are counted once.
        clips_per_second: in training, of the step of `reference_run`; None: no hours.

    Raises:
        BenchError: nobody knows how many videos the data set has.
    """
    cells = list({_key(effective_settings(flat_settings(config))): config for config in configs}.values())
    taught = [config for config in cells if config.uses_teacher and config.teacher.checkpoint is None]
    teachers = list({_key(_of_teacher(config)): config for config in taught}.values())
    reference = reference_run(cells)
    networks = [_student(config) for config in cells] + [_teacher(config) for config in cells if config.uses_teacher]
    return StudyCost(
        networks=tuple(dict.fromkeys(networks)),
        work=tuple(work for work in (*_teachers_work(teachers), *_students_work(cells)) if work.num_runs),
        reference=_student(reference).name + (" with its teacher" if reference.uses_teacher else ""),
        reference_gmacs=step_gmacs(reference),
        clips_per_second=clips_per_second,
        disk=_disk(cells[0]),
    )


def reference_run(configs: Sequence[RunConfig]) -> RunConfig:
    """The run with the dearest training step."""
    return max(configs, key=step_gmacs)


def step_gmacs(config: RunConfig) -> float:
    """Of one clip in training: forward and backward pass of the student, the teacher's forward pass."""
    own = _FORWARD_PASSES_PER_STEP * _student_cost(config).gmacs_per_view
    return own + (_teacher_cost(config).gmacs_per_view if config.uses_teacher else 0.0)


def _students_work(cells: Sequence[RunConfig]) -> list[Work]:
    step = [step_gmacs(config) for config in cells]
    view = [_tested_student_cost(config).gmacs_per_view for config in cells]
    # Each step has its unlabelled clips beside the labelled ones, and they cost the same.
    shares = [1 + config.unlabelled_per_step / config.train.batch_size for config in cells]
    clips = [
        _videos(config, "train") * config.train.epochs * share for config, share in zip(cells, shares, strict=True)
    ]
    return [
        _work("students: training", clips, step),
        _work("students: validation", [_validated(config, config.train) for config in cells], view),
        _work("students: test", [_views(config) * _videos(config, "test") for config in cells], view),
    ]


def _teachers_work(teachers: Sequence[RunConfig]) -> list[Work]:
    view = [_teacher_cost(config).gmacs_per_view for config in teachers]
    tested_view = [_tested_teacher_cost(config).gmacs_per_view for config in teachers]
    clips = [_videos(c, _learns_from(c)) * c.teacher.train.epochs for c in teachers]
    tested = [
        _validated(config, config.teacher.train) + _views(config) * _videos(config, "test") for config in teachers
    ]
    return [
        _work("teachers: training", clips, [_FORWARD_PASSES_PER_STEP * gmacs for gmacs in view]),
        _work("teachers: validation, test", tested, tested_view),
    ]


def _work(name: str, clips: Sequence[float], gmacs: Sequence[float]) -> Work:
    total = sum(number * each for number, each in zip(clips, gmacs, strict=True))
    return Work(name, len(clips), sum(clips), total / 1e9)


def _validated(config: RunConfig, train: OptimizerSettings) -> float:
    """Videos over all validations, which take one view each."""
    every = config.evaluation.every_epochs
    return (math.ceil(train.epochs / every) if every else 1) * _videos(config, "validation")


def _views(config: RunConfig) -> int:
    evaluation = resolve_evaluation(config)
    return evaluation.clips * evaluation.crops


def _learns_from(config: RunConfig) -> str:
    return "pretrain" if config.data.name == "shapes" and config.teacher.part != "train" else "train"


def _videos(config: RunConfig, part: str) -> float:
    data = config.data
    spec = dataset_spec(data.name)
    if spec.origin == "generated":
        per_class: int = getattr(data.shapes, f"{part}_clips_per_class")
        return per_class * (spec.num_classes or 1)
    counts = _counts(config)
    if part in ("train", "validation") and "validation" not in counts:
        held = data.validation_share
        return counts["train"] * (held if part == "validation" else 1 - held)
    return counts.get(part, 0)


def _counts(config: RunConfig) -> dict[str, int]:
    data = config.data
    spec = dataset_spec(data.name)
    counts = dict(spec.counts.get(data.split, {})) or (FOOTAGE[data.name].num_videos if data.name in FOOTAGE else None)
    if not counts:
        known = ", ".join(["shapes", *FOOTAGE])
        raise BenchError(f"data.name={data.name}: its number of videos is not known; costs are told for {known}")
    return counts


def _disk(config: RunConfig) -> Disk | None:
    if config.data.name not in FOOTAGE:
        return None
    footage, num_videos = FOOTAGE[config.data.name], sum(_counts(config).values())
    # Records hold the positions of a clip where these are fixed, else every P-frame.
    are_fixed = config.data.sampling == "gops" and config.data.frames_per_gop == 6
    per_gop = _BYTES_PER_PIXEL_AND_GOP[6 if are_fixed else 11] * _PREPARED_PIXELS
    return Disk(
        num_videos,
        footage.mean_seconds,
        num_videos * footage.frames * _BYTES_PER_FRAME / 1e9,
        num_videos * footage.frames / _GOP_FRAMES * per_gop / 1e9,
    )


def _student_cost(config: RunConfig) -> Complexity:
    """Of a clip in training."""
    return _counted(student_cost, config.student, config.teacher, config.data, config.data.input_size)


def _tested_student_cost(config: RunConfig) -> Complexity:
    """Of a view in a test, whose crops may be larger."""
    return _counted(student_cost, config.student, config.teacher, config.data, resolve_evaluation(config).crop_size)


def _teacher_cost(config: RunConfig) -> Complexity:
    return _counted(teacher_cost, _ANY_STUDENT, config.teacher, config.data, config.data.input_size)


def _tested_teacher_cost(config: RunConfig) -> Complexity:
    return _counted(teacher_cost, _ANY_STUDENT, config.teacher, config.data, resolve_evaluation(config).crop_size)


@lru_cache(maxsize=256)  # counting takes seconds, and the many cells of a study have few networks
def _counted(
    count: Callable[[RunConfig, int], Complexity],
    student: StudentSettings,
    teacher: TeacherSettings,
    data: DataSettings,
    crop_size: int,
) -> Complexity:
    parts = {"student": student, "teacher": teacher, "data": data}
    # Copied, not built: which losses take part is of no account here, and need not fit this student.
    config = RunConfig().model_copy(update={**parts, "evaluation": EvaluationSettings(crop_size=crop_size)})
    return count(config, dataset_spec(data.name).num_classes or 100)


def _student(config: RunConfig) -> NetworkCost:
    cost = _tested_student_cost(config)
    student = config.student
    what = "CoViAR" if student.model == "coviar" else f"student {student.arch} ({student.streams})"
    decoder = "" if student.decoder or student.model == "coviar" else ", no decoder"
    return NetworkCost(f"{what}{decoder}", cost.gmacs_per_view, _views(config), cost.parameters)


def _teacher(config: RunConfig) -> NetworkCost:
    cost = _tested_teacher_cost(config)
    name = f"teacher {config.teacher.arch} ({config.teacher.backbone}), {num_time_steps(config)} steps"
    return NetworkCost(name, cost.gmacs_per_view, _views(config), cost.parameters)


def _of_teacher(config: RunConfig) -> dict[str, Any]:
    """What tells teachers apart; what they learn from has labels."""
    flat = flat_settings(config).items()
    return {key: value for key, value in flat if key.startswith(("teacher.", "data.")) and key != "data.unlabelled"}


def _key(settings: dict[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)
