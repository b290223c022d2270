"""What a student must know of its teacher before there is one: time stamps and width of its maps."""

from typing import cast

import torch
from torch import nn

from cdkd.models.teacher import Teacher, build_teacher
from cdkd.settings import Experiment


def clip_stamps(experiment: Experiment) -> int:
    """T, the time stamps of a clip."""
    return experiment.data.gops_per_clip * experiment.data.frames_per_gop


def build_own_teacher(experiment: Experiment, num_classes: int) -> nn.Module:
    """The teacher of the settings, for the experiment's clips."""
    return build_teacher(experiment.teacher, num_classes=num_classes, num_segments=clip_stamps(experiment))


def teacher_channels(experiment: Experiment) -> int:
    """C of the teacher's maps, which the student's decoded maps must match; builds no weights."""
    with torch.device("meta"):
        network = build_own_teacher(experiment, num_classes=2)
    return cast(Teacher, network).num_features
