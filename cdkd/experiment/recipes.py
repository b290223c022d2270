"""How the authors of TSM and TDN trained them, data set by data set, and what our embedded one needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdkd.config import build_record, merge_dotted
from cdkd.errors import CdkdError
from cdkd.settings import TEACHERS, RunConfig, TeacherSettings

_DEFAULT = TeacherSettings()


class RecipeError(CdkdError):
    """A recipe does not exist, or misses what it starts from."""


@dataclass(frozen=True)
class Recipe:
    """The settings of one published training."""

    learning_rate: float
    """At `batch_size`; scaled linearly to any other."""
    batch_size: int
    """Clips per optimizer step."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """By dotted key."""
    starts_from: str = "random"
    """`teacher.weights`; "checkpoint": the user names one."""
    source: str = ""
    """Where it is published."""


# Both: SGD with momentum 0.9, gradient norm clipped at 20, no warm-up, crops down to 0.66 of the shorter side. T frames
# come from T equal parts of a video: G = T groups of pictures with one P-frame each.
_COMMON: dict[str, object] = {
    "teacher.backbone": "resnet50",
    "teacher.train.optimizer": "sgd",
    "teacher.train.momentum": 0.9,
    "teacher.train.clip_norm": 20.0,
    "teacher.train.warmup_epochs": 0.0,
    "teacher.train.schedule": "step",
    "data.frames_per_gop": 1,
    "data.input_size": 224,
    "data.crop_scale": [0.66, 1.0],
    "evaluation.resize": 256,
}
# The classifier learns faster in TSM. TDN's code has such multipliers too but never applies them, and its weight decay
# reaches biases and batch norms.
_TSM: dict[str, object] = {
    **_COMMON,
    "teacher.shift_div": 8,
    "teacher.train.classifier_weight_multiplier": 5.0,
    "teacher.train.classifier_bias_multiplier": 10.0,
    "data.gops_per_clip": 8,
}
_TDN: dict[str, object] = {**_COMMON, "teacher.train.decay_all": True, "data.gops_per_clip": 8}


def _schedule(steps: list[int], epochs: int, weight_decay: float, dropout: float) -> dict[str, object]:
    return {
        "teacher.train.step_epochs": steps,
        "teacher.train.epochs": epochs,
        "teacher.train.weight_decay": weight_decay,
        "teacher.dropout": dropout,
    }


_TSM_FINE_TUNING = {
    **_TSM,
    **_schedule([10, 20], 25, 5e-4, 0.8),
    "teacher.train.partial_batch_norm": True,
}
_TDN_FINE_TUNING = {**_TDN, **_schedule([10, 20], 25, 5e-4, 0.8), "data.gops_per_clip": 16}
_EMBEDDED = Recipe(_DEFAULT.train.learning_rate, _DEFAULT.train.batch_size, source="the defaults")

_PUBLISHED: dict[str, dict[str, Recipe]] = {
    "tsm": {
        "kinetics400": Recipe(
            0.02, 128, {**_TSM, **_schedule([20, 40], 50, 1e-4, 0.5)}, "imagenet", "the authors' scripts"
        ),
        "ssv2": Recipe(0.01, 64, {**_TSM, **_schedule([20, 40], 50, 5e-4, 0.5)}, "imagenet", "the authors' README"),
        "ucf101": Recipe(0.001, 64, _TSM_FINE_TUNING, "checkpoint", "the authors' README"),
        "hmdb51": Recipe(0.001, 64, _TSM_FINE_TUNING, "checkpoint", "an author's answer: as UCF-101"),
    },
    "tdn": {
        "kinetics400": Recipe(
            0.02, 128, {**_TDN, **_schedule([50, 75, 90], 100, 1e-4, 0.5)}, "imagenet", "the authors' README"
        ),
        "ssv2": Recipe(0.01, 64, {**_TDN, **_schedule([30, 45, 55], 60, 5e-4, 0.5)}, "imagenet", "the authors' README"),
        "ucf101": Recipe(0.002, 128, _TDN_FINE_TUNING, "checkpoint", "an author's answer"),
        "hmdb51": Recipe(0.002, 128, _TDN_FINE_TUNING, "checkpoint", "an author's answer"),
    },
}
RECIPES = {arch: {**_PUBLISHED.get(arch, {}), "shapes": _EMBEDDED} for arch in TEACHERS}
"""Architecture -> data set -> its recipe."""


def recipe_config(arch: str, name: str, overrides: Mapping[str, object]) -> RunConfig:
    """A teacher's training as published, with `overrides` by dotted key on top.

    The learning rate follows the batch size linearly unless it is given. The classifier of a starting checkpoint is
    dropped, so a Kinetics-400 teacher can start one for UCF-101.

    Raises:
        RecipeError: there is no such recipe, or it fine-tunes a checkpoint and `teacher.weights` names none.
        ConfigError: an override is unknown or has a wrong type.
    """
    recipes = RECIPES.get(arch, {})
    if name not in recipes:
        raise RecipeError(f"no recipe '{name}' for {arch}; known: {', '.join(recipes)}")
    recipe = recipes[name]
    base = {
        "data.name": name,
        "teacher.arch": arch,
        "teacher.train.batch_size": recipe.batch_size,
        "teacher.train.learning_rate": recipe.learning_rate,
        **({} if recipe.starts_from == "checkpoint" else {"teacher.weights": recipe.starts_from}),
        **recipe.settings,
    }
    merged = merge_dotted(merge_dotted({}, base), overrides)
    if recipe.starts_from == "checkpoint" and "weights" not in merged["teacher"]:
        raise RecipeError(
            f"recipe {name} fine-tunes a network trained on Kinetics-400: name its checkpoint with "
            "--set teacher.weights=FILE (cdkd teacher import makes one of the authors' files), "
            "or start elsewhere on purpose: teacher.weights=imagenet or random"
        )
    config = build_record(RunConfig, merged)
    if "learning_rate" in merge_dotted({}, overrides).get("teacher", {}).get("train", {}):
        return config
    train = config.teacher.train
    scale = train.batch_size * train.accumulate_steps / recipe.batch_size
    scaled = {"learning_rate": recipe.learning_rate * scale}
    return build_record(RunConfig, merge_dotted(merged, {"teacher": {"train": scaled}}))
