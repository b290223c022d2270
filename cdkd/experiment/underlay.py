"""What lies under a run's own settings: a recipe's values, and the file of the run's teacher.

    defaults < recipe (what it extends first) < teacher file < study: base < stage < axes and rows < --set

A recipe that a command names holds for every run. One that a study names is made for a data set: on another one, which
only the command or a cell can name, its rates and lengths mean nothing, and the run stands on the defaults.

A learning rate belongs to the number of clips per step in force where it is stated. Where a later layer changes that
number alone, the rate follows linearly, as the authors of TSM and TDN have it. Without a recipe nothing follows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from cdkd.config import build_record, flatten, merge_dotted
from cdkd.experiment.recipe import Recipe, RecipeError
from cdkd.experiment.teacher_files import check_teacher_file
from cdkd.settings import RunConfig, flat_settings

_TRAININGS = ("train", "teacher.train")
"""Groups of settings that hold a learning rate and what makes up a step's clips."""


@lru_cache(maxsize=1)
def _defaults() -> dict[str, Any]:
    return flat_settings(RunConfig())


@dataclass(frozen=True)
class Underlay:
    """A recipe and the teachers' files; without either, a run's own settings stand on the defaults."""

    recipe: Recipe | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    """Architecture -> file; the recipe's own are among them."""
    elsewhere: Self | None = None
    """What lies under runs on another data set than the recipe's; None: the recipe holds there, too."""

    @classmethod
    def of(cls, recipe: Recipe | None, *files: Mapping[str, str], is_asked: bool = True) -> Self:
        """With the files of the recipe and of several others, later ones over earlier ones.

        Args:
            recipe: if any.
            files: architecture -> file.
            is_asked: the recipe is the command's; else it is the study's own, and holds on its data set alone.
        """
        layers = [{} if recipe is None else recipe.teachers, *files]
        elsewhere = None if recipe is None or is_asked else cls.of(None, *files)
        return cls(recipe, {arch: path for layer in layers for arch, path in layer.items()}, elsewhere)

    def for_run(self, own: Mapping[str, Any]) -> Self:
        """What lies under one run: all of this, or `elsewhere`.

        Args:
            own: the run's own settings by dotted key.
        """
        if self.recipe is None or self.elsewhere is None or "data.name" not in own:
            return self
        student, teacher = _networks(own)
        values = dict(item for layer in self.recipe.layers_for(student, teacher) for item in layer.items())
        is_made_for_it = own["data.name"] == values.get("data.name", own["data.name"])
        return self if is_made_for_it else self.elsewhere

    @property
    def name(self) -> str:
        """The recipe's; empty where there is none."""
        return "" if self.recipe is None else self.recipe.name

    @property
    def file_setting(self) -> str:
        """What a teacher's file is: the start of its training, or the teacher."""
        is_checkpoint = self.recipe is None or self.recipe.teacher_files.endswith("checkpoint")
        return "teacher.checkpoint" if is_checkpoint else "teacher.weights"

    def build(self, overrides: Mapping[str, Any], trains_teacher: bool = False) -> RunConfig:
        """The run with these settings of its own.

        Args:
            overrides: nested, or by dotted keys.
            trains_teacher: the run is the teacher's training; it needs no teacher, but a start.

        Raises:
            ConfigError: a setting is unknown, wrong, or does not fit another.
            RecipeError: the recipe needs a teacher's file that nobody named.
            TeacherError: the teacher's file is missing or holds another network.
        """
        own = flatten(merge_dotted({}, overrides))
        config = build_record(RunConfig, merge_dotted({}, self.values(own)))
        if config.uses_teacher or trains_teacher:
            self.for_run(own)._check(config, own, trains_teacher)
        return config

    def values(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """All settings that differ from the defaults, by dotted key, from those of the run itself by dotted key."""
        under = self.for_run(own)
        if under is not self:
            return under.values(own)
        student, teacher = _networks(own)
        layers = [] if self.recipe is None else self.recipe.layers_for(student, teacher)
        if teacher in self.files:
            layers.append({self.file_setting: self.files[teacher]})
        layers.append(dict(own))
        values: dict[str, Any] = {}
        stated_for = {group: _clips_per_step(values, group) for group in _TRAININGS}
        for layer in layers:
            values |= layer
            for group in _TRAININGS:
                if f"{group}.learning_rate" in layer:
                    stated_for[group] = _clips_per_step(values, group)
        if self.recipe is not None:
            for group, stated in stated_for.items():
                key, clips = f"{group}.learning_rate", _clips_per_step(values, group)
                if clips != stated:
                    values[key] = values.get(key, _defaults()[key]) * clips / stated
        return values

    def _check(self, config: RunConfig, own: Mapping[str, Any], trains_teacher: bool) -> None:
        """Refuses, before anything is trained, a teacher that is not there or is another one."""
        arch, recipe = config.teacher.arch, self.recipe
        path = self.files.get(arch)
        # What the run itself says wins, and is nobody's fault but its own.
        if path is not None and self.file_setting not in own:
            check_teacher_file(config, path)
        if recipe is None or config.teacher.checkpoint is not None or "teacher.weights" in own:
            return
        if not recipe.teacher_files.startswith("optional") and arch not in recipe.networks:
            raise RecipeError(
                f"recipe {recipe.name} does not say how to train a {arch} teacher; it does for "
                f"{', '.join(sorted(recipe.networks))}; name a trained one with --set teacher.checkpoint=FILE"
            )
        if recipe.teacher_files == "checkpoint" and not trains_teacher:
            raise RecipeError(
                f"recipe {recipe.name} takes the {arch} teacher that its authors published: give it as --teacher "
                f"{arch}=FILE (cdkd teacher import makes one of their file), or train one on purpose: "
                f"--set teacher.weights={config.teacher.weights}"
            )
        if recipe.teacher_files == "start" and config.teacher.weights == "random":
            how = "--set teacher.weights=FILE" if trains_teacher else f"--teacher {arch}=FILE"
            raise RecipeError(
                f"recipe {recipe.name} fine-tunes a {arch} trained on Kinetics-400: name its checkpoint with {how} "
                "(cdkd teacher import makes one of the authors' files), or start elsewhere on purpose: "
                "--set teacher.weights=imagenet or random"
            )


def _networks(own: Mapping[str, Any]) -> tuple[str, str]:
    """The architectures of a run's student and teacher."""
    student, teacher = (own.get(key, _defaults()[key]) for key in ("student.arch", "teacher.arch"))
    return student, teacher


def _clips_per_step(values: Mapping[str, Any], group: str) -> int:
    keys = (f"{group}.batch_size", f"{group}.accumulate_steps")
    size, steps = (values.get(key, _defaults()[key]) for key in keys)
    return int(size * steps)
