"""The schema of study files, by a validator of its own: what it accepts, what it marks as wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from support.guides import REPOSITORY

from cdkd.cli import group
from cdkd.config import ConfigError
from cdkd.settings import RunConfig
from cdkd.settings_reference import setting_groups
from cdkd.sweep.study.reading import load_study
from cdkd.sweep.study.schema import study_schema

jsonschema = pytest.importorskip("jsonschema", reason="part of the extra 'test'")
Draft202012Validator = jsonschema.Draft202012Validator

SHIPPED = sorted((REPOSITORY / "sweeps").glob("*.yaml"))
EVERYTHING = """\
study: mine
extends: ablation
tables: [4, methods]
base: {train: {epochs: 7}, data.shapes: {seed: 3}, distill.spatial.weight: 1}
seeds: [7, 11]
stages:
  - name: rows
    axes:
      network: {TSM: {student.arch: tsm}, plain: }
      distill.spatial.weight: [0, 0.01, 1]
    zip: [{data.gops_per_clip: [1, 2], train.batch_size: [8, 8]}]
    exclude: [{network: plain, distill.spatial.weight: [0, 1]}]
    rows: {plain row: , long: {train.epochs: 9}}
    when: {distill.spatial.weight: {network: TSM}}
  - name: look
    base: {evaluation.every_epochs: 1}
    search: {pruner: median, seeds: 2, over: {distill.spatial.weight: {low: 0.01, high: 1, log: true},
      student.arch: [tsm, tdn]}}
  - name: best
    best: {stage: look, among: {}, take: [distill.spatial, distill.temporal.weight]}
"""


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json.loads(CliRunner().invoke(group, ["sweep", "--schema"], catch_exceptions=False).output)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_every_shipped_study_is_valid(validator: Any, file: Path) -> None:
    validator.validate(yaml.safe_load(file.read_text()))


def test_every_key_of_a_study_is_known(validator: Any, tmp_path: Path) -> None:
    validator.validate(yaml.safe_load(EVERYTHING))
    # And what the schema takes for right is right: the same text is read.
    (tmp_path / "s.yaml").write_text(EVERYTHING)
    assert [stage.name for stage in load_study(tmp_path / "s.yaml").stages] == ["rows", "look", "best"]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("study: mine\n", "", []),
        ("seeds: [7, 11]", "seedz: 2", []),
        ("seeds: [7, 11]", "seeds: [7, 7]", ["seeds"]),
        ("epochs: 7", "epoch: 7", ["base", "train"]),
        ("epochs: 7", "epochs: many", ["base", "train", "epochs"]),
        ("data.shapes: {seed: 3}", "data.shapes.sed: 3", ["base"]),
        ("data.shapes: {seed: 3}", "seed: 3", ["base"]),
        ("distill.spatial.weight: 1", "distill.spatial.weight: -1", ["base", "distill.spatial.weight"]),
        ("student.arch: tsm}", "student.arch: tsn}", ["stages", 0, "axes", "network"]),
        ("[0, 0.01, 1]", "[]", ["stages", 0, "axes", "distill.spatial.weight"]),
        ("exclude: [{network: plain, distill.spatial.weight: [0, 1]}]", "exclude: [{}]", ["stages", 0, "exclude", 0]),
        ("{train.epochs: 9}", "9", ["stages", 0, "rows", "long"]),
        ("pruner: median", "pruner: mean", ["stages", 1, "search", "pruner"]),
        ("{low: 0.01, ", "{", ["stages", 1, "search", "over", "distill.spatial.weight"]),
        ("[distill.spatial, ", "[distil.spatial, ", ["stages", 2, "best", "take", 0]),
        ("  - name: best\n    best", "  - best", ["stages", 2]),
    ],
)  # fmt: skip
def test_a_mistake_is_marked_where_it_stands(
    validator: Any, tmp_path: Path, old: str, new: str, place: list[str | int]
) -> None:
    assert EVERYTHING.count(old) == 1
    text = EVERYTHING.replace(old, new)
    found = [list(error.absolute_path)[: len(place)] for error in validator.iter_errors(yaml.safe_load(text))]
    assert place in found
    # The reader refuses it too.
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(ConfigError):
        load_study(tmp_path / "s.yaml")


def test_every_setting_is_there_with_its_sentence_by_its_dotted_key() -> None:
    base = study_schema()["$defs"]["settings"]["properties"]
    for settings in setting_groups():
        for setting in settings.settings:
            if setting.key != "seed":
                assert base[setting.key].get("description", "") == setting.sentence, setting.key
    assert set(base["train"]) >= {"$ref", "description"} and "seed" in RunConfig.model_fields
