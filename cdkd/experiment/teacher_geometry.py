"""What a student must know of its teacher before there is one: time steps and width of its maps."""

from typing import cast

import torch
from torch import nn

from cdkd.models.teacher.teacher import Teacher, build_teacher
from cdkd.settings import RunConfig


def num_time_steps(config: RunConfig) -> int:
    """T, the time steps of a clip."""
    return config.data.gops_per_clip * config.data.frames_per_gop


def build_own_teacher(config: RunConfig, num_classes: int) -> nn.Module:
    """The teacher of the settings, for the experiment's clips."""
    return build_teacher(config.teacher, num_classes=num_classes, num_segments=num_time_steps(config))


def teacher_channels(config: RunConfig) -> int:
    """C of the teacher's maps, which the student's decoded maps must match; builds no weights."""
    with torch.device("meta"):
        network = build_own_teacher(config, num_classes=2)
    return cast(Teacher, network).num_features
