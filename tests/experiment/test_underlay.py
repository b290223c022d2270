"""What a run's settings stand on: published figures, who wins over whom, the rate that follows the batch, files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from cdkd.config import ConfigError
from cdkd.experiment.recipe import RecipeError, load_recipe
from cdkd.experiment.teacher_files import TeacherFileError
from cdkd.experiment.underlay import Underlay
from cdkd.models.weights.checkpoints import save_model
from cdkd.settings import RunConfig

# teacher, data set: rate, batch, steps, epochs, weight decay, dropout, partial batch norm; T and views of the runs
PUBLISHED = {
    ("tsm", "kinetics400"): (0.02, 128, (20, 40), 50, 1e-4, 0.5, False, 8, (10, 3)),
    ("tsm", "ssv2"): (0.01, 64, (20, 40), 50, 5e-4, 0.5, False, 8, (2, 3)),
    ("tsm", "ucf101"): (0.001, 64, (10, 20), 25, 5e-4, 0.8, True, 6, (10, 3)),
    ("tsm", "hmdb51"): (0.001, 64, (10, 20), 25, 5e-4, 0.8, True, 6, (10, 3)),
    ("tdn", "kinetics400"): (0.02, 128, (50, 75, 90), 100, 1e-4, 0.5, False, 8, (10, 3)),
    ("tdn", "ssv2"): (0.01, 64, (30, 45, 55), 60, 5e-4, 0.5, False, 8, (2, 3)),
    ("tdn", "ucf101"): (0.002, 128, (10, 20), 25, 5e-4, 0.8, False, 6, (10, 3)),
    ("tdn", "hmdb51"): (0.002, 128, (10, 20), 25, 5e-4, 0.8, False, 6, (10, 3)),
}
START = {"teacher.weights": "k400.safetensors"}
OFF = {"distill": {"spatial": {"enabled": False}, "temporal": {"enabled": False}}}


def of(recipe: str | None, files: Mapping[str, str] | None = None) -> Underlay:
    return Underlay.of(None if recipe is None else load_recipe(recipe), files or {})


def networks(arch: str) -> dict[str, Any]:
    return {"student.arch": arch, "teacher.arch": arch}


@pytest.mark.parametrize(("arch", "name"), PUBLISHED)
def test_teachers_are_trained_as_published(arch: str, name: str) -> None:
    overrides: dict[str, Any] = START if name in ("ucf101", "hmdb51") else {}
    config = of(name).build({**networks(arch), **overrides}, trains_teacher=True)
    teacher, train, data = config.teacher, config.teacher.train, config.data
    found = (
        train.learning_rate, train.batch_size, train.step_epochs, train.epochs, train.weight_decay, teacher.dropout,
        train.partial_batch_norm, data.gops_per_clip * data.frames_per_gop,
        (config.evaluation.clips, config.evaluation.crops),
    )  # fmt: skip
    assert found == PUBLISHED[arch, name]
    assert (train.optimizer, train.momentum, train.schedule, train.clip_norm) == ("sgd", 0.9, "step", 20.0)
    assert (teacher.arch, teacher.backbone, data.name, data.input_size) == (arch, "resnet50", name, 224)
    multipliers = (train.classifier_weight_multiplier, train.classifier_bias_multiplier, train.decay_all)
    assert multipliers == ((5.0, 10.0, False) if arch == "tsm" else (1.0, 1.0, True))
    assert teacher.weights == overrides.get("teacher.weights", "imagenet")


@pytest.mark.parametrize(("arch", "flip"), [("tsm", "off"), ("tdn", "swap")])
def test_flips_of_ssv2_are_those_of_each_networks_authors(arch: str, flip: str) -> None:
    config = of("ssv2").build({**networks(arch), **OFF})
    assert config.data.flip == flip
    student = config.student
    assert (student.arch, student.streams, student.weights) == (arch, "paper", "imagenet")
    assert student.shift_div == (8 if arch == "tsm" else 4)


def test_the_embedded_data_set_keeps_the_defaults() -> None:
    assert of("shapes1").build({}) == of(None).build({}) == RunConfig()


def test_later_layers_win(tmp_path: Path) -> None:
    (tmp_path / "low.yaml").write_text(
        "recipe: low\ncommon: [{source: a, values: {train: {epochs: 1, momentum: 0.1}}}]"
    )
    (tmp_path / "high.yaml").write_text(
        "recipe: high\nextends: low.yaml\ncommon: [{source: a, values: {train.momentum: 0.2, student.dropout: 0.2}}]\n"
        "tdn: [{source: a, values: {student.dropout: 0.3}}]"
    )
    underlay = of(str(tmp_path / "high.yaml"), {"tsm": "x"})

    def read(config: RunConfig) -> tuple[int, float, float]:
        return config.train.epochs, config.train.momentum, config.student.dropout

    assert read(underlay.build(OFF)) == (1, 0.2, 0.2)
    assert read(underlay.build({**OFF, "student.arch": "tdn"})) == (1, 0.2, 0.3)
    assert read(underlay.build({**OFF, "train": {"momentum": 0.5}, "student.dropout": 0.0})) == (1, 0.5, 0.0)
    # Of the teacher's file nobody says here that it is the teacher: it is what the training starts from.
    assert underlay.build(OFF).teacher.weights == "x"
    assert underlay.build({**OFF, "teacher.weights": "y"}).teacher.weights == "y"
    assert of(None, {"tsm": "x"}).build(OFF).teacher.checkpoint == "x"


def test_the_learning_rate_follows_the_batch_size_unless_given() -> None:
    def rate(group: str, recipe: str | None = "ssv2", **overrides: Any) -> float:
        dotted = {f"{group}.{key}": value for key, value in overrides.items()}
        config = of(recipe).build({**OFF, **dotted})
        return (config.train if group == "train" else config.teacher.train).learning_rate

    for group in ("train", "teacher.train"):
        assert rate(group) == 0.01
        assert rate(group, batch_size=16) == pytest.approx(0.0025)
        assert rate(group, batch_size=16, accumulate_steps=2) == pytest.approx(0.005)
        assert rate(group, batch_size=16, learning_rate=0.3) == 0.3
        # A recipe that changes the number of clips alone.
        assert rate(group, "ssv2-lite") == pytest.approx(0.005)
        assert rate(group, "ssv2-lite", batch_size=128) == pytest.approx(0.02)
    assert rate("teacher.train", "shapes1", batch_size=8) == pytest.approx(0.002)
    # Without a recipe a number stands for what it says.
    assert rate("teacher.train", None, batch_size=8) == 0.008


def test_a_recipe_never_trains_a_teacher_from_nothing_unasked() -> None:
    message = r"recipe ucf101 fine-tunes a tdn trained on Kinetics-400: name its checkpoint with "
    with pytest.raises(RecipeError, match=message + "--teacher tdn=FILE"):
        of("ucf101").build(networks("tdn"))
    with pytest.raises(RecipeError, match=message + r"--set teacher\.weights=FILE"):
        of("ucf101").build(networks("tdn"), trains_teacher=True)
    with pytest.raises(
        RecipeError, match=r"recipe ssv2 takes the tsm teacher that its authors published: .*--teacher tsm=FILE"
    ):
        of("ssv2").build({})
    with pytest.raises(RecipeError, match=r"recipe ssv2 does not say how to train a s3d teacher; it does for tdn, tsm"):
        of("ssv2").build({"teacher.arch": "s3d"})
    for name in ("ucf101", "ssv2"):
        assert of(name).build({"teacher.weights": "random"}).teacher.weights == "random"
        assert of(name).build(OFF).uses_teacher is False
    # Where torchvision has weights, nothing is missing.
    assert of("hmdb51").build({"teacher.arch": "s3d"}).teacher.weights == "kinetics400"


def teacher_file(path: Path, kind: str = "teacher", arch: str = "tsm", backbone: str = "resnet50") -> str:
    settings = {"arch": arch, "backbone": backbone}
    save_model(path, torch.nn.Linear(1, 1), {"architecture": {"kind": kind, "settings": settings}})
    return str(path)


def test_a_file_is_the_start_or_the_teacher_as_the_recipe_says(tmp_path: Path) -> None:
    path = teacher_file(tmp_path / "tsm.safetensors")
    found = of("ucf101", {"tsm": path, "tdn": "elsewhere"}).build({}).teacher
    assert (found.weights, found.checkpoint) == (path, None)
    found = of("ssv2", {"tsm": path}).build({}).teacher
    assert (found.weights, found.checkpoint) == ("imagenet", path)
    with pytest.raises(ConfigError, match="elsewhere"):
        of("ucf101", {"tdn": "elsewhere"}).build(networks("tdn"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"no such file; `cdkd teacher import ORIGINAL --arch tsm -o .*t\.safetensors` makes one"),
        ("text", r"no checkpoint of cdkd; if it is a published one, convert it: cdkd teacher import .* --arch tsm -o"),
        ({"arch": "tdn"}, "holds a tdn teacher; give it as tdn=FILE"),
        ({"kind": "student"}, "holds a student, not a teacher"),
        ({"backbone": "resnet18"}, r"its backbone is resnet18, .*set teacher\.backbone=resnet18"),
    ],
)
@pytest.mark.parametrize("recipe", ["ucf101", "kinetics400"])
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, recipe: str, content: object, message: str) -> None:
    path = tmp_path / "t.safetensors"
    if isinstance(content, dict):
        teacher_file(path, **content)
    elif content is not None:
        path.write_text(str(content))
    with pytest.raises(TeacherFileError, match=rf"^--teacher tsm=.*t\.safetensors: {message}"):
        of(recipe, {"tsm": str(path)}).build({})
    # Nobody asks a run without teacher, nor one that names its own.
    assert not of(recipe, {"tsm": str(path)}).build(OFF).uses_teacher
    assert of(recipe, {"tsm": str(path)}).build({"teacher.checkpoint": "mine", "teacher.weights": "random"})
