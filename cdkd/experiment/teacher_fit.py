"""Whether a checkpoint holds the teacher that a run's settings describe, and what may differ between them.

What a table says of a teacher must be true, and what a loss compares must be comparable. So these are refused:

    another architecture or backbone     the run's settings, and the tables, would name the wrong network
    another length of windows            the clips are read for the teacher of the settings
    other classes, logits distilled      class k of the one is not class k of the other
    other classes among members          scores of different classes cannot be averaged

These are warned of and noted with the run, since networks work all the same and to try it is legitimate (a published
Kinetics teacher has seen 8 frames of ten seconds; a student's clip may be 6 frames of one GOP):

    other clips (shape, sampling, or time steps)      another size of pictures

A checkpoint's own `shift_div`, dropout and mixing weights stay what it was trained with.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from cdkd.config import build_record
from cdkd.errors import CdkdError
from cdkd.experiment.inputs import clip_words
from cdkd.experiment.sizes import build_own_teacher, num_time_steps
from cdkd.models.teacher.ensemble import TeacherEnsemble
from cdkd.models.teacher.teacher import FrozenTeacher, Teacher
from cdkd.models.weights.description import Description, load_description
from cdkd.models.weights.loading import load_teacher
from cdkd.settings import RunConfig, TeacherSettings

logger = logging.getLogger(__name__)


class TeacherError(CdkdError):
    """The teacher cannot be trained or used as configured."""


def frozen_teacher(
    config: RunConfig, path: Path, classes: Sequence[str], map_stride: int
) -> tuple[FrozenTeacher, dict[str, str]]:
    """The frozen teacher of a checkpoint, together with `teacher.members` where there are any, on the CPU.

    Args:
        config: of the run.
        path: the checkpoint.
        classes: of the run's data set.
        map_stride: pixels per position of the student's maps, which the teacher's are brought to.

    Returns:
        The teacher, and as metadata in what allowed ways it differs from the run; {} where in none.

    Raises:
        ModelError: a file is missing, damaged or holds no teacher.
        TeacherError: it is not the teacher of the settings, or its classes do not fit.
    """
    # 1. What is there: the checkpoint and its fellow members, each with its description.
    first = _candidate(path, num_time_steps(config))
    members = [_candidate(Path(each), None) for each in config.teacher.members]
    # What the settings ask for, as shapes without memory: nobody will train this one.
    with torch.device("meta"):
        wanted = build_own_teacher(config, first.num_classes)
    # 2. What is refused, in the order of this file's first lines.
    for candidate in (first, *members):
        _check_architecture(config, candidate, wanted)
    _check_backbone(config, first, wanted)
    for loss in config.distill.used_that_need("logits"):
        _check_classes(first, classes, f"data set {config.data.name}", f"distill.{loss} compares them one by one")
    for member in members:
        _check_classes(member, first.classes, str(path), "teacher.members averages their scores", first.num_classes)
    # 3. What is allowed, and told.
    differences = [text for candidate in (first, *members) for text in candidate.differences(config)]
    for text in differences:
        logger.warning("%s", text)
    networks = [candidate.network for candidate in (first, *members)]
    teacher = FrozenTeacher(TeacherEnsemble(networks) if members else networks[0], map_stride)
    return teacher, {"teacher_differs": "; ".join(differences)} if differences else {}


@dataclass(frozen=True)
class _Candidate:
    """A checkpoint that is to teach."""

    path: Path
    network: Teacher
    description: Description

    @cached_property
    def settings(self) -> TeacherSettings:
        """What it was built with."""
        return build_record(TeacherSettings, self.description["architecture"]["settings"])

    @property
    def num_classes(self) -> int:
        """K."""
        return int(self.description["architecture"]["num_classes"])

    @property
    def classes(self) -> Sequence[str] | None:
        """Their names in order, where it knows them."""
        return self.description.get("classes")

    def differences(self, config: RunConfig) -> list[str]:
        """What may differ and does, both sides in each sentence."""
        data, known = config.data, self.description.get("preprocessing") or {}
        own_clip = clip_words(data.model_dump(), config)
        found = []
        # cdkd's own teachers know the clip that they learnt from; imported ones only how many frames they saw.
        if "gops_per_clip" in known:
            clip = clip_words(known, config)
            if clip != own_clip:
                found.append(f"{self.path}: learnt from clips of {clip}, teaches with clips of {own_clip}")
        else:
            steps = self.settings.num_segments or self.description["architecture"]["num_segments"]
            if steps != num_time_steps(config):
                found.append(f"{self.path}: learnt from {steps} frames per clip, teaches with {num_time_steps(config)}")
        size = known.get("input_size", known.get("crop_pixels", data.input_size))
        if size != data.input_size:
            found.append(f"{self.path}: learnt from pictures of {size} pixels, teaches with {data.input_size}")
        return found


def _candidate(path: Path, num_segments: int | None) -> _Candidate:
    return _Candidate(path, load_teacher(path, num_segments=num_segments), load_description(path))


def _check_architecture(config: RunConfig, found: _Candidate, wanted: Teacher) -> None:
    arch, window = found.settings.arch, found.network.window
    if (arch, window) != (config.teacher.arch, wanted.window):
        raise TeacherError(
            f"{found.path}: holds a {arch} teacher, which reads {_frames(window)} per time step; the settings ask for "
            f"teacher.arch={config.teacher.arch}, which reads {_frames(wanted.window)}; set teacher.arch={arch}, "
            f"or give the checkpoint of a {config.teacher.arch} teacher"
        )


def _frames(number: int) -> str:
    return f"{number} frame{'s' * (number != 1)}"


def _check_backbone(config: RunConfig, found: _Candidate, wanted: Teacher) -> None:
    # Where an architecture has no choice of backbones, the setting means nothing and all weights agree.
    if _shapes(found.network) != _shapes(wanted):
        own, asked = found.settings.backbone, config.teacher.backbone
        raise TeacherError(
            f"{found.path}: its backbone is {own}, whose maps have {found.network.num_features} channels, those of "
            f"teacher.arch={config.teacher.arch} with teacher.backbone={asked} {wanted.num_features}; "
            f"set teacher.backbone={own}, or give a checkpoint with {asked}"
        )


def _shapes(network: Teacher) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}


def _check_classes(
    found: _Candidate, classes: Sequence[str] | None, whose: str, reason: str, number: int | None = None
) -> None:
    """`classes` are those of `whose`; None: only their `number` is known."""
    number = len(classes) if classes is not None else number
    differs = ""
    if found.num_classes != number:
        differs = f"knows {found.num_classes} classes, {whose} {number}"
    elif found.classes is not None and classes is not None and list(found.classes) != list(classes):
        # The first that differs is enough to see whether it is the order or another data set.
        k, theirs, ours = next((k, a, b) for k, (a, b) in enumerate(zip(found.classes, classes, strict=True)) if a != b)
        differs = f"class {k} is '{theirs}', in {whose} '{ours}'"
    if differs:
        raise TeacherError(
            f"{found.path}: {differs}; {reason}: give a teacher of the same classes in the same order, "
            "or leave this out"
        )
