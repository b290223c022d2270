"""Sizes of a run's networks that follow from its settings alone: time steps, width of maps, cost of a view."""

from collections.abc import Mapping
from typing import Any

import torch

from cdkd.metric_names import GMACS, PARAMETERS
from cdkd.models.complexity import Complexity, student_complexity, teacher_complexity
from cdkd.models.teacher.teacher import Teacher, build_teacher
from cdkd.settings import RunConfig


def num_time_steps(config: RunConfig) -> int:
    """T, the time steps of a clip."""
    return config.data.gops_per_clip * config.data.frames_per_gop


def build_own_teacher(config: RunConfig, num_classes: int) -> Teacher:
    """The teacher of the settings, for the run's clips."""
    return build_teacher(config.teacher, num_classes=num_classes, num_segments=num_time_steps(config))


def teacher_channels(config: RunConfig) -> int:
    """C of the teacher's maps, which the student's decoded maps must match; builds no weights."""
    with torch.device("meta"):
        return build_own_teacher(config, num_classes=2).num_features


def student_cost(config: RunConfig, num_classes: int) -> Complexity:
    """What one view costs the student, pseudo-decoder and gate included where it has them."""
    data = config.data
    return student_complexity(
        config.student,
        num_classes=num_classes,
        num_gops=data.gops_per_clip,
        frames_per_gop=data.frames_per_gop,
        teacher_channels=teacher_channels(config),
        size=config.evaluation.crop_size or data.input_size,
    )


def teacher_cost(config: RunConfig, num_classes: int) -> Complexity:
    """What one view costs the teacher in the settings, whatever `teacher.checkpoint` holds."""
    return teacher_complexity(
        config.teacher,
        num_classes=num_classes,
        num_segments=num_time_steps(config),
        size=config.evaluation.crop_size or config.data.input_size,
    )


def cost_metadata(cost: Complexity) -> dict[str, str]:
    """As a run's metadata; the cost of a video is that of a view times its `num_views`."""
    return {"gmacs_per_view": str(cost.gmacs_per_view), "parameters": str(cost.parameters)}


def cost_metrics(metadata: Mapping[str, Any]) -> dict[str, float]:
    """The same as numbers that can be plotted, read from metadata; {} where it tells no cost."""
    if not {"gmacs_per_view", "parameters"} <= metadata.keys():
        return {}
    return {GMACS: float(metadata["gmacs_per_view"]), PARAMETERS: float(metadata["parameters"]) / 1e6}
