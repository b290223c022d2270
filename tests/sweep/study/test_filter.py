"""Part of a study, against the labels that must remain."""

from pathlib import Path

import pytest

from cdkd.config import ConfigError
from cdkd.sweep.study.expansion import expand
from cdkd.sweep.study.filter import narrow
from cdkd.sweep.study.reading import load_study
from cdkd.sweep.study.records import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    file = tmp_path / "s.yaml"
    file.write_text(
        "study: s\nstages:\n"
        "  - name: a\n"
        "    axes:\n"
        "      network: {TSM: {student.arch: tsm}, TDN: {student.arch: tdn}}\n"
        "      train.epochs: [1, 2, 3]\n"
        "    rows: {long: {train.epochs: 9}, short: {train.epochs: 8}}\n"
        "  - name: b\n"
        "    axes: {train.batch_size: [4, 5]}\n"
    )
    return load_study(file)


def labels(study: Study, stage: int = 0) -> list[str]:
    return [cell.label for cell in expand(study, study.stages[stage])]


def test_labels_of_one_axis_add_up_and_axes_cut(study: Study) -> None:
    part = narrow(study, ["train.epochs=1", "network=TDN", "train.epochs=3"])
    assert labels(part) == ["TDN, train.epochs 1", "TDN, train.epochs 3"]
    assert labels(part, 1) == ["train.batch_size 4", "train.batch_size 5"]


def test_explicit_rows_are_an_axis(study: Study) -> None:
    assert labels(narrow(study, ["row=short"])) == ["short"]


def test_coupled_axes_stay_coupled_and_an_axis_that_does_not_apply_was_not_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(
        "study: s\nstages:\n"
        "  - name: a\n"
        "    axes: {student.arch: [tsm, tdn], train.momentum: [0.1, 0.2]}\n"
        "    zip: [{train.epochs: [1, 2, 3], train.batch_size: [8, 4, 4]}]\n"
        "    when: {train.momentum: {student.arch: tdn}}\n"
    )
    study = load_study(file)
    assert labels(narrow(study, ["train.batch_size=4", "train.momentum=0.2"])) == [
        "student.arch tdn, train.momentum 0.2, train.epochs 2, train.batch_size 4",
        "student.arch tdn, train.momentum 0.2, train.epochs 3, train.batch_size 4",
    ]


def test_nothing_asked_changes_nothing(study: Study) -> None:
    assert narrow(study, []) == study


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("network", "--only network: expected axis=label, for example row=both"),
        ("netwrok=TSM", "--only netwrok=TSM: no such axis; did you mean 'network'?"),
        ("network=TSN", "--only network=TSN: no such label; did you mean 'TSM'?"),
        ("row=x", "--only row=x: no such label; known labels: long, short"),
    ],
)
def test_mistakes_are_named(study: Study, only: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        narrow(study, [only])
    assert str(caught.value) == message


def test_a_stage_that_keeps_no_cell_is_an_error(study: Study) -> None:
    with pytest.raises(ConfigError, match=r"^--only: stage 'a' keeps no cell \(.*s\.yaml:3\)$"):
        narrow(study, ["network=TSM", "row=long"])
