"""A study as a command names it becomes the study that it runs: its file, its recipe, its teachers, its part."""

from collections.abc import Sequence

from cdkd.experiment.teacher_files import check_used, parse_teacher_files
from cdkd.settings import RunConfig
from cdkd.sweep.study.expansion import combinations
from cdkd.sweep.study.filter import narrow
from cdkd.sweep.study.finder import find_study
from cdkd.sweep.study.reading import load_study
from cdkd.sweep.study.records import Study


def open_study(
    name: str,
    settings: Sequence[str] = (),
    seeds: str | None = None,
    only: Sequence[str] = (),
    recipe: str | None = None,
    teachers: Sequence[str] = (),
) -> Study:
    """The study of a command's arguments and options.

    Args:
        name: of the study, or its file.
        settings: `dotted.key=value` texts.
        seeds: a count, or numbers between commas.
        only: `axis=label` texts.
        recipe: name or path; None: the study's own, where it has one.
        teachers: `arch=FILE` texts.

    Raises:
        ConfigError: names what is wrong, where, and the remedy.
    """
    files = parse_teacher_files(teachers)
    study = narrow(load_study(find_study(name), settings, seeds, recipe, files), only)
    # Of stages that take something over, too: a teacher that is taken over is one of an earlier stage.
    used = [
        values.get("teacher.arch", RunConfig().teacher.arch)
        for stage in study.stages
        for _, values in combinations(study, stage)
    ]
    check_used(files, used, f"study {study.name}")
    return study
