"""Recipes against the figures that the authors publish, and the rule that the learning rate follows the batch size."""

from typing import Any

import pytest

from cdkd.config import ConfigError
from cdkd.experiment.recipes import RECIPES, RecipeError, recipe_config
from cdkd.settings import TEACHERS, RunConfig

# arch, data set: rate, batch, steps, epochs, weight decay, dropout, T, partial batch norm
PUBLISHED = {
    ("tsm", "kinetics400"): (0.02, 128, (20, 40), 50, 1e-4, 0.5, 8, False),
    ("tsm", "ssv2"): (0.01, 64, (20, 40), 50, 5e-4, 0.5, 8, False),
    ("tsm", "ucf101"): (0.001, 64, (10, 20), 25, 5e-4, 0.8, 8, True),
    ("tsm", "hmdb51"): (0.001, 64, (10, 20), 25, 5e-4, 0.8, 8, True),
    ("tdn", "kinetics400"): (0.02, 128, (50, 75, 90), 100, 1e-4, 0.5, 8, False),
    ("tdn", "ssv2"): (0.01, 64, (30, 45, 55), 60, 5e-4, 0.5, 8, False),
    ("tdn", "ucf101"): (0.002, 128, (10, 20), 25, 5e-4, 0.8, 16, False),
    ("tdn", "hmdb51"): (0.002, 128, (10, 20), 25, 5e-4, 0.8, 16, False),
}
START = {"teacher.weights": "k400.safetensors"}


@pytest.mark.parametrize(("arch", "name"), PUBLISHED)
def test_recipes_are_the_published_ones(arch: str, name: str) -> None:
    overrides: dict[str, Any] = START if name in ("ucf101", "hmdb51") else {}
    config = recipe_config(arch, name, overrides)
    teacher, train, data = config.teacher, config.teacher.train, config.data
    found = (
        train.learning_rate, train.batch_size, train.step_epochs, train.epochs, train.weight_decay, teacher.dropout,
        data.gops_per_clip * data.frames_per_gop, train.partial_batch_norm,
    )  # fmt: skip
    assert found == PUBLISHED[arch, name]
    assert (train.optimizer, train.momentum, train.schedule, train.clip_norm) == ("sgd", 0.9, "step", 20.0)
    assert (teacher.arch, teacher.backbone, data.name, data.input_size) == (arch, "resnet50", name, 224)
    multipliers = (train.classifier_weight_multiplier, train.classifier_bias_multiplier, train.decay_all)
    assert multipliers == ((5.0, 10.0, False) if arch == "tsm" else (1.0, 1.0, True))
    assert teacher.weights == overrides.get("teacher.weights", "imagenet")


def test_every_data_set_of_every_architecture_is_covered_here() -> None:
    recipes = {(arch, name) for arch, named in RECIPES.items() for name in named}
    assert recipes == PUBLISHED.keys() | {(arch, "shapes") for arch in TEACHERS}


def test_the_learning_rate_follows_the_batch_size_unless_given() -> None:
    def rate(**overrides: Any) -> float:
        dotted = {f"teacher.train.{key}": value for key, value in overrides.items()}
        return recipe_config("tsm", "ssv2", dotted).teacher.train.learning_rate

    assert rate(batch_size=16) == pytest.approx(0.0025)
    assert rate(batch_size=16, accumulate_steps=2) == pytest.approx(0.005)
    assert rate(batch_size=16, learning_rate=0.3) == 0.3


def test_the_embedded_data_set_keeps_the_defaults() -> None:
    assert recipe_config("tsm", "shapes", {}) == RunConfig()


def test_what_a_recipe_misses_is_named() -> None:
    with pytest.raises(RecipeError, match="recipe ucf101 fine-tunes a network trained on Kinetics-400"):
        recipe_config("tdn", "ucf101", {})
    with pytest.raises(RecipeError, match="no recipe 'ucf' for tsm; known: kinetics400, ssv2"):
        recipe_config("tsm", "ucf", {})
    with pytest.raises(ConfigError, match=r"teacher\.train\.epoch: unknown key; did you mean 'epochs'"):
        recipe_config("tsm", "shapes", {"teacher.train.epoch": 3})
