"""Every network its own teacher: files by architecture, refused before any training where they cannot be meant."""

from collections.abc import Iterable
from pathlib import Path

from cdkd.config import ConfigError
from cdkd.models.errors import ModelError
from cdkd.models.weights.description import SUFFIX, load_description
from cdkd.settings import TEACHERS, RunConfig
from cdkd.suggestion import hint

_OPTION = "--teacher"
_WITH_BACKBONE = ("tsm", "tdn")
"""Teachers whose ResNet is a setting."""


class TeacherFileError(ConfigError):
    """A teacher's file is missing, or holds another network than it was given for."""


def parse_teacher_files(texts: Iterable[str]) -> dict[str, str]:
    """`ARCH=FILE` texts by architecture.

    Raises:
        TeacherFileError: a text is no such pair, its architecture is unknown or named twice.
    """
    files: dict[str, str] = {}
    for text in texts:
        arch, sign, path = text.partition("=")
        if not sign or not path:
            raise TeacherFileError(f"{_OPTION} {text}: expected ARCH=FILE, for example tsm=tsm.safetensors")
        if arch not in TEACHERS:
            raise TeacherFileError(f"{_OPTION} {text}: no such network; {hint(arch, TEACHERS, 'networks')}")
        if arch in files:
            raise TeacherFileError(f"{_OPTION} {text}: {arch} is given twice")
        files[arch] = path
    return files


def check_used(given: Iterable[str], used: Iterable[str], whose: str) -> None:
    """Refuses a file that is given for a network which nobody learns from.

    Args:
        given: architectures with a file.
        used: `teacher.arch` of every run.
        whose: what the runs are, such as "study ablation".

    Raises:
        TeacherFileError: names the networks that are used.
    """
    known = sorted(set(used))
    for arch in given:
        if arch not in known:
            raise TeacherFileError(
                f"{_OPTION} {arch}=FILE: {whose} has no teacher.arch={arch}; known teachers: {', '.join(known)}"
            )


def check_teacher_file(config: RunConfig, name: str) -> None:
    """Refuses a file that cannot be, or start, the teacher of a run; reads no weights, imports no torch.

    Raises:
        TeacherFileError: it is missing, foreign, a student, or of another architecture or backbone.
    """
    arch, path = config.teacher.arch, Path(name)
    given = f"{_OPTION} {arch}={name}"
    if not path.is_file():
        raise TeacherFileError(
            f"{given}: no such file; `cdkd teacher import ORIGINAL --arch {arch} -o {path.with_suffix(SUFFIX)}` makes "
            "one of a published checkpoint"
        )
    try:
        known = load_description(path).get("architecture") or {}
    except ModelError as error:
        raise TeacherFileError(
            f"{given}: no checkpoint of cdkd; if it is a published one, convert it: "
            f"cdkd teacher import {name} --arch {arch} -o {path.with_suffix(SUFFIX)} ({error})"
        ) from error
    settings = known.get("settings") or {}
    if known.get("kind") != "teacher":
        raise TeacherFileError(f"{given}: holds a {known.get('kind')}, not a teacher")
    if settings.get("arch") != arch:
        raise TeacherFileError(
            f"{given}: holds a {settings.get('arch')} teacher; give it as {settings.get('arch')}=FILE"
        )
    if arch in _WITH_BACKBONE and settings.get("backbone") != config.teacher.backbone:
        raise TeacherFileError(
            f"{given}: its backbone is {settings.get('backbone')}, the run's teacher.backbone "
            f"{config.teacher.backbone}; set teacher.backbone={settings.get('backbone')}, or name the --recipe of the "
            "data set, which does"
        )
