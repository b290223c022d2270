"""Recipe files: what they say and where from, how they extend each other, and which mistakes are told how."""

import re
from pathlib import Path

import pytest
import torch

from cdkd.config import ConfigError
from cdkd.data.clips.transforms import CropView, draw_boxes, view_boxes
from cdkd.experiment.recipe import Entry, Recipe, known_recipes, load_recipe
from cdkd.settings import TEACHERS

BASE = """
recipe: base
description: A base.
teacher_files: start
teachers: {tsm: a.safetensors}
common:
  - source: paper
    values: {train: {epochs: 7}, data.input_size: 64}
tsm:
  - source: authors
    values: {train.epochs: 8, teacher.train.epochs: 3}
s3d, r2plus1d_18:
  - source: our choice
    values: {teacher.dropout: 0.5}
"""


def write(folder: Path, text: str, name: str = "base.yaml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_each_value_knows_its_network_and_its_source(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, BASE))
    assert (recipe.name, recipe.description, recipe.teacher_files) == ("base", "A base.", "start")
    assert recipe.teachers == {"tsm": "a.safetensors"}
    assert recipe.layers == (
        (
            Entry("common", "train.epochs", 7, "paper", "base"),
            Entry("common", "data.input_size", 64, "paper", "base"),
            Entry("tsm", "train.epochs", 8, "authors", "base"),
            Entry("tsm", "teacher.train.epochs", 3, "authors", "base"),
            Entry("s3d", "teacher.dropout", 0.5, "our choice", "base"),
            Entry("r2plus1d_18", "teacher.dropout", 0.5, "our choice", "base"),
        ),
    )
    assert recipe.networks == {"tsm", "s3d", "r2plus1d_18"}


def test_the_teachers_settings_go_by_the_teacher_and_all_others_by_the_student(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, BASE))
    common = {"train.epochs": 7, "data.input_size": 64}
    assert recipe.layers_for("tsm", "tsm") == [{**common, "train.epochs": 8, "teacher.train.epochs": 3}]
    assert recipe.layers_for("tdn", "tsm") == [{**common, "teacher.train.epochs": 3}]
    assert recipe.layers_for("tsm", "s3d") == [{**common, "train.epochs": 8, "teacher.dropout": 0.5}]
    assert recipe.layers_for("tdn", "tdn") == [common]


def test_an_extending_recipe_states_its_differences(tmp_path: Path) -> None:
    write(tmp_path, BASE)
    text = "recipe: small\nextends: base.yaml\nteachers: {tdn: b}\ncommon: [{source: mine, values: {train.epochs: 2}}]"
    recipe = load_recipe(write(tmp_path, text, "small.yaml"))
    assert (recipe.name, recipe.description, recipe.teacher_files) == ("small", "A base.", "start")
    assert recipe.teachers == {"tsm": "a.safetensors", "tdn": "b"}
    assert recipe.layers_for("tdn", "tdn") == [{"train.epochs": 7, "data.input_size": 64}, {"train.epochs": 2}]
    assert recipe.sections()["common"] == [
        Entry("common", "data.input_size", 64, "paper", "base"),
        Entry("common", "train.epochs", 2, "mine", "small"),
    ]


def test_a_recipe_is_found_by_name_in_sweeps_recipes_and_by_path_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_recipe("ucf101").path.is_absolute()
    # A study may bear the name, which then does not hide the recipe.
    write(tmp_path, "study: ucf101", "ucf101.yaml")
    assert load_recipe("ucf101").name == "ucf101"
    (tmp_path / "sweeps/recipes").mkdir(parents=True)
    write(tmp_path / "sweeps/recipes", "recipe: own\nextends: paper", "ucf101.yaml")
    write(tmp_path / "sweeps/recipes", "recipe: mine", "mine.yaml")
    assert (load_recipe("ucf101").name, load_recipe("mine").name) == ("own", "mine")
    assert "mine" in known_recipes() and "hmdb51-lite" in known_recipes()
    with pytest.raises(ConfigError, match=r"^uvf101: no such recipe file, here or in \./sweeps/recipes; did you mean"):
        load_recipe("uvf101")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe: a\ncommn: []", r":2: commn: unknown key; did you mean 'common'"),
        ("recipe: a\ntsn: []", r":2: tsn: unknown key"),
        ("recipe: a\ntsm, tsn: []", r":2: tsm, tsn: unknown key"),
        ("recipe: a\ncommon: {train.epochs: 3}", r":2: common: .*, not \{'train.epochs': 3\}"),
        ("recipe: a\ntsm: {train.epochs: 3}", r":2: tsm: a list of groups, each with a source and its values"),
        ("recipe: a\ntsm: [3]", r":2: tsm\.0: a group is a mapping with the keys source and values"),
        ("recipe: a\ntsm:\n- values: {train.epochs: 3}", r":3: tsm\.0\.source: required, but not given"),
        ("recipe: a\ntsm:\n- {source: b, values: {train.epoch: 3}}", r":3: .*unknown setting 'train\.epoch'; did you"),
        ("recipe: a\ntsm:\n- {source: b, values: {train.epochs: x}}", r":3: tsm\.0\.values\.train\.epochs: .*not 'x'"),
        ("recipe: a\ncommon:\n- {source: b, values: {student.arch: tdn}}", r":3: .*a study says which networks"),
        ("recipe: a\ns3d:\n- {source: b, values: {train.epochs: 3}}", r":3: .*s3d is a teacher: only settings teacher"),
        (
            "recipe: a\ntsm:\n- {source: b, values: {train.epochs: 3}}\n- {source: c, values: {train: {epochs: 4}}}",
            r":4: .*train\.epochs is given twice in section tsm",
        ),
        ("recipe: a\nteachers: {tsn: f}", r":2: teachers\.tsn: no such network; did you mean 'tsm'"),
        ("recipe: a\nteacher_files: begin", r":2: teacher_files: .*'start'"),
        ("recipe: a\nextends: base.yaml", r":2: extends: base.yaml: no such recipe file"),
        ("recipe: a\nextends: other.yaml", r":2: extends: other.yaml: no such recipe file"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(str(tmp_path / "base.yaml")) + message):
        load_recipe(write(tmp_path, text))


def test_recipes_may_take_the_place_of_what_they_extend_but_not_go_in_a_circle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweeps/recipes").mkdir(parents=True)
    write(tmp_path / "sweeps/recipes", "recipe: ucf101\nextends: ucf101\nteachers: {tsm: mine}", "ucf101.yaml")
    assert load_recipe("ucf101").teachers == {"tsm": "mine"} and load_recipe("ucf101").teacher_files == "start"
    # What extends the shipped one meets the own one, too.
    assert load_recipe("hmdb51").teachers == {"tsm": "mine"}
    write(tmp_path, "recipe: a\nextends: b.yaml", "a.yaml")
    write(tmp_path, "recipe: b\nextends: a.yaml", "b.yaml")
    with pytest.raises(ConfigError, match=r"^b\.yaml:2: extends: the recipes extend each other in a circle$"):
        load_recipe("a.yaml")


PUBLISHED_NAMES = ("ucf101", "hmdb51", "kinetics400", "ssv2")


def test_recipes_for_the_papers_data_sets_come_with_cdkd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {f"{name}{kind}" for name in PUBLISHED_NAMES for kind in ("", "-lite")}
    assert set(known_recipes()) == {*names, "paper", "shapes1", "shapes2"}
    recipes: list[Recipe] = [load_recipe(name) for name in known_recipes()]
    assert [recipe.name for recipe in recipes] == known_recipes()
    assert all(recipe.description for recipe in recipes)
    sources = {entry.source for recipe in recipes for layer in recipe.layers for entry in layer}
    own = ("the data set", "the embedded data set")
    assert [text for text in sources if not text.startswith(("paper", "TSM", "TDN", "our choice", *own))] == []
    # What a lite recipe changes, and nothing else.
    lite = load_recipe("ucf101-lite").layers[-1]
    assert {entry.key for entry in lite} == {
        "student.streams", "train.batch_size", "teacher.train.batch_size", "evaluation.crops",
    }  # fmt: skip
    assert load_recipe("ucf101").networks == set(TEACHERS)


@pytest.mark.parametrize("name", PUBLISHED_NAMES)
@pytest.mark.parametrize("size", [(256, 320), (256, 336), (320, 240)])
def test_a_test_shows_the_shapes_that_training_showed(name: str, size: tuple[int, int]) -> None:
    merged = {key: value for layer in load_recipe(name).layers_for("tsm", "tsm") for key, value in layer.items()}
    trained = draw_boxes(4, size, merged["data.crop_scale"], False, torch.Generator().manual_seed(0))
    view = CropView(
        merged["evaluation.resize"], merged["data.input_size"], 3, merged.get("evaluation.keep_aspect", False)
    )
    for crop in range(3):
        tested = view_boxes(4, size, view, crop)
        assert torch.allclose(tested.width / tested.height, trained.width / trained.height)
        assert (tested.left >= 0).all() and (tested.left + tested.width <= size[1] + 1e-9).all()
        assert (tested.top >= 0).all() and (tested.top + tested.height <= size[0] + 1e-9).all()
