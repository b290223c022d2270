"""A study that extends another, against the whole written by hand."""

from pathlib import Path

import pytest

from cdkd.config import ConfigError
from cdkd.sweep.study.expansion import expand
from cdkd.sweep.study.reading import load_study

PARENT = """\
study: parent
description: Of the parent.
seeds: 2
base: {train: {epochs: 7, momentum: 0.5}, data.split: 2}
stages:
  - name: rows
    base: {train.batch_size: 4}
    axes:
      student.arch: [tsm, tdn]
      train.learning_rate: [0.1, 0.2]
    exclude: [{student.arch: tdn, train.learning_rate: 0.2}]
  - name: second
    best: {stage: rows, take: [train.learning_rate]}
"""
CHILD = """\
study: child
extends: parent
base: {train.epochs: 9, data: {split: 3}}
stages:
  - name: third
    axes: {train.warmup_epochs: [1]}
  - name: rows
    base: {train: {clip_norm: 2.0}}
    axes: {student.arch: [tdn]}
    rows: {long: {train.epochs: 11}}
"""


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder / "child.yaml"


def test_settings_and_stages_are_merged_by_name(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, parent=PARENT, child=CHILD))
    assert (study.name, study.description, study.seeds) == ("child", "Of the parent.", (0, 1))
    assert study.base == {"train.epochs": 9, "train.momentum": 0.5, "data.split": 3}
    assert [stage.name for stage in study.stages] == ["rows", "second", "third"]
    rows, second, third = study.stages
    assert rows.base == {"train.batch_size": 4, "train.clip_norm": 2.0}
    shown = [cell.label for cell in expand(study, rows) if cell.seed == 0]
    assert shown == ["student.arch tdn, train.learning_rate 0.1", "long"]
    assert second.best is not None and second.best.stage == "rows"
    assert rows.where == f"{tmp_path}/child.yaml:7"
    assert second.where == f"{tmp_path}/parent.yaml:12"
    assert third.where == f"{tmp_path}/child.yaml:5"


def test_a_shipped_study_is_extended_by_its_name_from_a_file_of_the_same_name(tmp_path: Path) -> None:
    file = tmp_path / "ablation.yaml"
    file.write_text("study: mine\nextends: ablation\nbase: {train.epochs: 3}\n")
    study = load_study(file)
    assert (study.name, study.tables, len(expand(study, study.stages[0]))) == ("mine", ("4",), 5)
    assert {cell.config.train.epochs for cell in expand(study, study.stages[0])} == {3}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("extends: parent", "extends: parnt", "child.yaml:2: extends: parnt: no such study file, here or in ./sweeps"),
        ("extends: parent", "extends: 3", "child.yaml:2: extends: Input should be a valid string, not 3"),
        ("study: child\n", "", "child.yaml:1: extends: a study that extends another needs a name of its own"),
        ("train.epochs: 9", "train.epoch: 9", "child.yaml:3: base.train.epoch: unknown setting 'train.epoch'"),
        ("data: {split: 3}", "train: {epochs: 3}", "child.yaml:3: base.train.epochs: given twice in this file"),
        ("[tdn]", "[tdm]", "child.yaml:9: stages.0.axes.student.arch.0: Input should be 'tsm' or 'tdn', not 'tdm'"),
        ("warmup_epochs: [1]", "warmup: [1]", "child.yaml:6: stages.2.axes.train.warmup.0: unknown setting"),
        ("[tdn]}", "[tsm]}", "parent.yaml:11: stages.0.exclude.0.student.arch: no label 'tdn'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_the_file_that_it_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert CHILD.count(old) == 1
    write(tmp_path, parent=PARENT, child=CHILD.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_study(Path("child.yaml"))
    assert str(caught.value).startswith(message)


def test_a_circle_is_named(tmp_path: Path) -> None:
    grandparent = "study: g\nextends: child\n"
    file = write(tmp_path, child=CHILD, parent=PARENT + "extends: grandparent\n", grandparent=grandparent)
    with pytest.raises(ConfigError) as caught:
        load_study(file)
    files = " -> ".join(f"{tmp_path}/{name}.yaml" for name in ("child", "parent", "grandparent", "child"))
    assert str(caught.value) == f"{tmp_path}/grandparent.yaml:2: extends: goes round in a circle: {files}"
