"""Expansion of stages into cells, against tables written by hand."""

from pathlib import Path

import pytest

from cdkd.config import ConfigError
from cdkd.sweep.queue.cell_configuration import configurations_of
from cdkd.sweep.study.expansion import expand
from cdkd.sweep.study.reading import load_study
from cdkd.sweep.study.records import Study


def study_of(folder: Path, stages: str, head: str = "study: s\n") -> Study:
    file = folder / "s.yaml"
    file.write_text(head + "stages:\n" + stages)
    return load_study(file)


def test_product_rows_exclusions_and_seeds_in_order(tmp_path: Path) -> None:
    study = study_of(
        tmp_path,
        "  - name: a\n"
        "    axes: {student.arch: [tsm, tdn], train.epochs: [1, 2, 3]}\n"
        "    exclude: [{student.arch: tdn, train.epochs: [1, 3]}]\n"
        "    rows: {long: {train.epochs: 9}}\n",
        "study: s\nseeds: [5, 4]\nbase: {train.batch_size: 6}\n",
    )
    cells = expand(study, study.stages[0])
    shown = [(cell.config.student.arch, cell.config.train.epochs, cell.seed) for cell in cells]
    assert shown == [
        ("tsm", 1, 5), ("tsm", 1, 4), ("tsm", 2, 5), ("tsm", 2, 4), ("tsm", 3, 5), ("tsm", 3, 4),
        ("tdn", 2, 5), ("tdn", 2, 4), ("tsm", 9, 5), ("tsm", 9, 4),
    ]  # fmt: skip
    assert {cell.config.train.batch_size for cell in cells} == {6}
    assert cells[6].label == "student.arch tdn, train.epochs 2"
    assert cells[8].labels == {"row": "long"} and cells[8].label == "long"


def test_coupled_axes_go_together_and_are_one_factor_of_the_product(tmp_path: Path) -> None:
    study = study_of(
        tmp_path,
        "  - name: a\n"
        "    axes: {student.arch: [tsm, tdn]}\n"
        "    zip:\n"
        "      - {train.epochs: [1, 2, 3], train.batch_size: [8, 4, 4]}\n"
        "    exclude: [{student.arch: tdn, train.batch_size: 4}]\n",
    )
    cells = expand(study, study.stages[0])
    shown = [(cell.config.student.arch, cell.config.train.epochs, cell.config.train.batch_size) for cell in cells]
    assert shown == [("tsm", 1, 8), ("tsm", 2, 4), ("tsm", 3, 4), ("tdn", 1, 8)]
    assert cells[0].labels == {"student.arch": "tsm", "train.epochs": "1", "train.batch_size": "8"}


def test_an_axis_with_a_condition_is_left_out_where_it_does_not_hold(tmp_path: Path) -> None:
    stages = (
        "  - name: a\n"
        "    axes:\n"
        "      loss: {spatial: {distill.temporal.enabled: false}, both: }\n"
        "      distill.temporal.weight: [0.1, 5]\n"
        "      distill.temporal.form: [literal, scaled]\n"
        "    rows: {plain: {train.epochs: 9}, wide: {student.decoder: true}}\n"
        "    when:\n"
        "      distill.temporal.weight: {loss: both}\n"
        "      distill.temporal.form: {distill.temporal.weight: 5, distill.spatial.enabled: true}\n"
        "      plain: {data.name: shapes, train.epochs: [8, 9]}\n"
        "      wide: {student.decoder: false}\n"
    )
    study = study_of(tmp_path, stages)
    labels = [tuple(cell.labels.values()) for cell in expand(study, study.stages[0])]
    assert labels == [("spatial",), ("both", "0.1"), ("both", "5", "literal"), ("both", "5", "scaled"), ("plain",)]
    # What a stage takes over decides like what stands in its base.
    taken = {"distill.spatial.enabled": False}
    labels = [tuple(cell.labels.values()) for cell in expand(study, study.stages[0], taken)]
    assert labels == [("spatial",), ("both", "0.1"), ("both", "5"), ("plain",)]


def test_cells_of_equal_identity_are_one(tmp_path: Path) -> None:
    # Without the spatial loss its weight changes nothing; the threads of a process never do.
    study = study_of(
        tmp_path,
        "  - name: a\n"
        "    base: {distill.spatial.enabled: false}\n"
        "    axes: {distill.spatial.weight: [0.1, 1], runtime.num_threads: [1, 2]}\n",
    )
    (cell,) = expand(study, study.stages[0])
    assert cell.labels == {"distill.spatial.weight": "0.1", "runtime.num_threads": "1"}


def test_later_overrides_win(tmp_path: Path) -> None:
    study = study_of(
        tmp_path,
        "  - name: a\n"
        "    base: {train.epochs: 3}\n"
        "    axes:\n"
        "      x: {p: {train.momentum: 0.4}, q: {train.momentum: 0.5, train.epochs: 5}}\n"
        "      y: {r: {train.momentum: 0.6}, s: }\n",
        "study: s\nbase: {train: {epochs: 2, momentum: 0.2}}\n",
    )
    cells = expand(study, study.stages[0], {"train.epochs": 11, "train.batch_size": 7})
    shown = [(c.label, c.config.train.epochs, c.config.train.momentum) for c in cells]
    assert shown == [("p, r", 3, 0.6), ("p, s", 3, 0.4), ("q, r", 5, 0.6), ("q, s", 5, 0.5)]
    assert cells[0].config.train.batch_size == 7


def test_an_impossible_combination_is_named(tmp_path: Path) -> None:
    study = study_of(tmp_path, "  - name: a\n    axes: {student.decoder: [true, false]}\n")
    with pytest.raises(ConfigError) as caught:
        expand(study, study.stages[0])
    text = str(caught.value)
    assert text.startswith(f"{tmp_path}/s.yaml:3: stage 'a', student.decoder = false: ")
    assert "student.head must be 'streams' when student.decoder is false" in text


def test_a_stage_without_cells_is_an_error(tmp_path: Path) -> None:
    study = study_of(tmp_path, "  - name: a\n    axes: {train.epochs: [1]}\n    exclude: [{train.epochs: 1}]\n")
    with pytest.raises(ConfigError, match=r"s\.yaml:3: stage 'a' has no cells: every combination is excluded, or "):
        expand(study, study.stages[0])


def test_a_stage_of_the_base_alone(tmp_path: Path) -> None:
    study = study_of(tmp_path, "  - name: a\n")
    (cell,) = expand(study, study.stages[0])
    assert (cell.label, cell.labels) == ("base", {})


def test_seeds_that_draw_their_own_videos_are_cells_of_other_data(tmp_path: Path) -> None:
    study = study_of(
        tmp_path,
        "  - name: a\n    axes: {train.epochs: [1, 2]}\n",
        "study: s\nseeds: [5, 4]\nbase: {data.shapes.draw: by_seed}\n",
    )
    cells = expand(study, study.stages[0])
    assert [(cell.seed, cell.config.data.shapes.seed) for cell in cells] == [(5, 5), (4, 4), (5, 5), (4, 4)]
    # As a worker gets them.
    assert [one.build() for one in configurations_of(cells)] == [cell.config for cell in cells]
    assert len({cell.id for cell in cells}) == 4
