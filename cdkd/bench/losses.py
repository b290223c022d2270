"""How strongly losses pull at the streams at each width, with calibrated weights and without."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from cdkd.config import build_record, merge_dotted
from cdkd.data.loading.steps import StepClips
from cdkd.data.opening import open_dataset
from cdkd.distill.calibration import LossUnits, median_pull
from cdkd.distill.losses.table import ALL_OFF, LOSSES
from cdkd.errors import CdkdError
from cdkd.experiment.build import StudentRun, assemble
from cdkd.experiment.description import teacher_description
from cdkd.experiment.sizes import build_own_teacher
from cdkd.models.weights.checkpoints import save_model
from cdkd.models.weights.pretrained import initialise
from cdkd.settings import RunConfig
from cdkd.suggestion import hint
from cdkd.train.calibration import Calibration, Conditions, gradient_norms
from cdkd.train.processes import ALONE

WIDTHS: dict[str, dict[str, Any]] = {
    "slim": {"student.streams": "slim", "teacher.backbone": "slim"},
    "resnet18": {"student.streams": "resnet18", "teacher.backbone": "resnet18"},
    "resnet50": {"student.streams": "paper", "teacher.backbone": "resnet50"},
}
"""Streams and teacher of one width each, from 64 over 512 to 2,048 channels."""
_CLIPS: dict[str, Any] = {
    "data.shapes.train_clips_per_class": 4,
    "data.shapes.validation_clips_per_class": 1,
    "data.shapes.test_clips_per_class": 1,
    "data.shapes.pretrain_clips_per_class": 1,
}


class LossBenchError(CdkdError):
    """Losses cannot be compared as asked."""


@dataclass(frozen=True)
class LossPull:
    """One loss at one width, at its default weight; pulls are in times that of the cross-entropy."""

    width: str
    channels: int
    """C of the teacher's maps, which the student's decoded maps share."""
    loss: str
    weight: float
    pull_per_weight: float
    """Of the loss as it is, at weight 1."""
    unit: float
    """What calibration multiplies the loss by, measured on other clips than the pulls."""
    pull: float
    """Without calibration, at the default weight."""
    calibrated_pull: float
    """With it."""


@dataclass(frozen=True)
class LossBenchSettings:
    """What is measured, and on how much."""

    widths: Sequence[str] = tuple(WIDTHS)
    losses: Sequence[str] = ("spatial", "temporal")
    size: int = 112
    """Side of the pictures in pixels, a multiple of 16."""
    batch_size: int = 4
    num_updates: int = 3
    """Batches whose median makes the units, and as many others that the pulls are measured on."""


def measure_losses(settings: LossBenchSettings, overrides: Mapping[str, Any]) -> list[LossPull]:
    """A row for each width and loss, on clips of the embedded data set, with weights drawn at random.

    Args:
        settings: what is measured.
        overrides: further settings of the run, by dotted key; a `teacher.checkpoint` among them takes the place of the
            teacher with random weights.

    Raises:
        LossBenchError: an unknown width or loss.
        CdkdError: a setting is unknown, or a loss does not pull at all.
    """
    for name in settings.widths:
        if name not in WIDTHS:
            raise LossBenchError(f"--width {name}: no such width; {hint(name, WIDTHS, 'widths')}")
    for name in settings.losses:
        if name not in LOSSES:
            raise LossBenchError(f"--loss {name}: no such loss; {hint(name, LOSSES, 'losses')}")
    rows = []
    for width in settings.widths:
        with tempfile.TemporaryDirectory() as folder:
            rows += _rows(width, settings, overrides, Path(folder))
    return rows


def _rows(width: str, settings: LossBenchSettings, overrides: Mapping[str, Any], folder: Path) -> list[LossPull]:
    run = _run(width, settings, overrides, folder)
    calibration = run.calibration
    assert calibration is not None and run.teacher is not None
    run.student.train()
    batches = iter(run.inputs.step_clips(run.source("train"), None, 0, settings.batch_size))
    # Units of some batches, pulls of others: on the same ones a calibrated pull would be right by definition.
    first, second = (_norms(calibration, list(islice(batches, settings.num_updates)), run) for _ in range(2))
    units = LossUnits.of(run.config.distill)
    units.fix(first)
    rows = []
    for name, unit in units.values.items():
        weight, plain = run.config.distill.used[name].weight, median_pull(name, second)
        rows.append(
            LossPull(width, run.teacher.num_features, name, weight, plain, unit, weight * plain, weight * unit * plain)
        )
    return rows


def _norms(calibration: Calibration, batches: Sequence[StepClips], run: StudentRun) -> list[dict[str, float]]:
    norms = gradient_norms(calibration, run.student, batches, len(batches), Conditions(0, ALONE, nullcontext, False, 1))
    if not norms:
        raise LossBenchError("no loss could be measured: it is not finite, or there are too few clips")
    return norms


def _run(width: str, settings: LossBenchSettings, overrides: Mapping[str, Any], folder: Path) -> StudentRun:
    wanted = {f"distill.{name}.enabled": True for name in settings.losses}
    sizes = {"data.input_size": settings.size, "data.shapes.frame_size": settings.size}
    values = merge_dotted({}, {**_CLIPS, **sizes, **WIDTHS[width], **ALL_OFF, **wanted, "distill.calibration": "pull"})
    config = build_record(RunConfig, merge_dotted(values, dict(overrides)))
    if config.teacher.checkpoint is None:
        path = random_teacher(config, folder / "teacher.safetensors")
        teacher = config.teacher.model_copy(update={"checkpoint": str(path)})
        config = config.model_copy(update={"teacher": teacher})
    return assemble(config, lambda metrics, epoch: None)


def random_teacher(config: RunConfig, path: Path) -> Path:
    """A checkpoint of the run's teacher with random weights: it knows nothing, and costs what a trained one costs."""
    dataset = open_dataset(config.data)
    teacher = build_own_teacher(config, dataset.num_classes)
    initialise(teacher, config.teacher.seed)
    save_model(path, teacher, teacher_description(config, dataset, {}))
    return path
