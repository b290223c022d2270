"""A study opened as a command names it: its recipe, every network its own teacher, and what is refused at once."""

from pathlib import Path

import pytest
import torch

from cdkd.config import ConfigError
from cdkd.models.weights.checkpoints import save_model
from cdkd.settings import RunConfig
from cdkd.sweep.display.listing import make_plan, plan_text
from cdkd.sweep.queue.cell_configuration import configurations_of
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, TrialQueue
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.study.expansion import expand, teachers_without_file
from cdkd.sweep.study.opening import open_study
from cdkd.sweep.study.records import Study

STUDY = """
study: own
base: {train.epochs: 3}
stages:
  - name: rows
    axes:
      network:
        TSM: {student.arch: tsm, teacher.arch: tsm}
        TDN: {student.arch: tdn, teacher.arch: tdn}
      student.dropout: [0.1, 0.2]
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "home"))
    for arch in ("tsm", "tdn"):
        settings = {"arch": arch, "backbone": "resnet50"}
        description = {"architecture": {"kind": "teacher", "settings": settings}}
        save_model(tmp_path / f"{arch}.safetensors", torch.nn.Linear(1, 1), description)


def configs(study: Study) -> dict[str, RunConfig]:
    return {cell.label: cell.config for stage in study.stages for cell in expand(study, stage)}


FILES = ("tsm=tsm.safetensors", "tdn=tdn.safetensors")


def test_one_command_gives_both_networks_their_recipe_and_their_teacher() -> None:
    study = open_study("ablation", ["train.epochs=2", "train.batch_size=32"], recipe="ucf101", teachers=FILES)
    found = configs(study)
    assert len(found) == 10
    for arch, rate in (("tsm", 0.001), ("tdn", 0.002)):
        config = found[f"{arch.upper()}, both"]
        assert (config.teacher.weights, config.teacher.checkpoint) == (f"{arch}.safetensors", None)
        assert (config.teacher.train.learning_rate, config.teacher.train.epochs) == (rate, 25)
        assert (config.data.name, config.train.epochs, config.train.learning_rate) == ("ucf101", 2, 0.005)
    cells = expand(study, study.stages[0])
    # Fine-tuning is a task of the sweep, once per network.
    assert len({cell.teacher for cell in cells if cell.teacher}) == 2
    assert {cell.recipe for cell in cells} == {"ucf101"}
    published = configs(open_study("ablation", recipe="ssv2", teachers=FILES))
    assert published["TDN, both"].teacher.checkpoint == "tdn.safetensors"
    assert published["TSM, both"].data.flip == "off" and published["TDN, both"].data.flip == "swap"


def test_a_study_names_its_recipe_and_its_teachers_and_the_option_wins(tmp_path: Path) -> None:
    (tmp_path / "low.yaml").write_text(
        "recipe: low\ncommon: [{source: a, values: {train: {epochs: 9, momentum: 0.4}}}]"
    )
    (tmp_path / "high.yaml").write_text("recipe: high\ntsm: [{source: a, values: {student.dropout: 0.7}}]")
    (tmp_path / "s.yaml").write_text(STUDY + "recipe: low.yaml\nteachers: {tdn: tdn.safetensors}\n"
                                             "only_with_file: [s3d]\n")  # fmt: skip
    study = open_study("s.yaml", ["teacher.backbone=resnet50"])
    assert study.underlay.name == "low" and study.underlay.files == {"tdn": "tdn.safetensors"}
    config = configs(study)["TSM, student.dropout 0.2"]
    # Recipe, study's base, axis.
    assert (config.train.momentum, config.train.epochs, config.student.dropout) == (0.4, 3, 0.2)
    other = open_study("s.yaml", ["train.momentum=0.3", "teacher.backbone=resnet50"], recipe="high.yaml")
    assert other.underlay.name == "high"
    assert configs(other)["TDN, student.dropout 0.1"].train.momentum == 0.3


def test_a_cell_keeps_its_recipe_in_the_queue(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "study")
    cell = Cell("rows", {}, RunConfig(), recipe="ucf101")
    (configuration,) = configurations_of([cell])
    queue = TrialQueue(folder)
    queue.enqueue([QueuedTask("a", "cell", "rows", configuration=configuration, recipe=cell.recipe)])
    assert queue.cell(queue.latest()["a"]) == cell


@pytest.mark.parametrize(
    ("teachers", "recipe", "message"),
    [
        (["tsm=no.safetensors"], "ssv2", r"stage 'rows', network = TSM, row = spatial: --teacher tsm=.*: no such file"),
        (["tsm=tsm.safetensors"], "ssv2", r"network = TDN, row = spatial: recipe ssv2 takes the tdn teacher that"),
        (["tsm=tdn.safetensors"], "ssv2", r"holds a tdn teacher; give it as tdn=FILE"),
        (["tsm=tsm.safetensors"], None, r"backbone is resnet50, the run's teacher\.backbone slim; .* --recipe"),
    ],
)
def test_a_teacher_that_does_not_fit_is_told_before_anything_trains(
    teachers: list[str], recipe: str | None, message: str
) -> None:
    study = open_study("ablation", recipe=recipe, teachers=teachers)
    with pytest.raises(ConfigError, match=message):
        make_plan(study, "sqlite:///none.db")


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ("s3d=x", r"^--teacher s3d=FILE: study ablation has no teacher\.arch=s3d; known teachers: tdn, tsm$"),
        ("tsn=x", r"^--teacher tsn=x: no such network; did you mean 'tsm'\?$"),
        ("tsm", r"^--teacher tsm: expected ARCH=FILE, for example tsm=tsm\.safetensors$"),
    ],
)
def test_an_option_that_means_nothing_is_refused(teacher: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_study("ablation", teachers=[teacher])
    with pytest.raises(ConfigError, match="tsm is given twice"):
        open_study("ablation", teachers=["tsm=a", "tsm=b"])


def test_cells_that_need_a_file_are_there_only_with_it(tmp_path: Path) -> None:
    text = STUDY.replace("TDN: {student.arch: tdn, teacher.arch: tdn}", "S3D: {teacher.arch: s3d}")
    (tmp_path / "s.yaml").write_text(text + "only_with_file: [s3d]\n")
    assert list(configs(study := open_study("s.yaml"))) == ["TSM, student.dropout 0.1", "TSM, student.dropout 0.2"]
    assert teachers_without_file(study) == ["s3d"]
    assert "left out, since they need their file: --teacher s3d=FILE\n" in plan_text(
        make_plan(study, "sqlite:///none.db"), 1
    )
    save_model(
        tmp_path / "s3d.safetensors",
        torch.nn.Linear(1, 1),
        {"architecture": {"kind": "teacher", "settings": {"arch": "s3d", "backbone": "slim"}}},
    )
    assert len(configs(study := open_study("s.yaml", teachers=["s3d=s3d.safetensors"]))) == 4
    assert teachers_without_file(study) == []
    assert len(configs(open_study("s.yaml", ["teacher.weights=random"]))) == 4
