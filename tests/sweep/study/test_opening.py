"""A study opened as a command names it: its recipe, every network its own teacher, and what is refused at once."""

from pathlib import Path

import pytest
import torch

from cdkd.config import ConfigError
from cdkd.models.weights.checkpoints import save_model
from cdkd.settings import RunConfig
from cdkd.sweep.display.listing import make_plan, plan_record, plan_text
from cdkd.sweep.queue.cell_configuration import configurations_of
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, TrialQueue
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.study.expansion import expand, teachers_without_file
from cdkd.sweep.study.finder import find_study
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


def test_one_command_gives_both_networks_their_recipe_and_their_teacher(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(STUDY)
    study = open_study("s.yaml", ["train.epochs=2", "train.batch_size=32"], recipe="ucf101", teachers=FILES)
    found = configs(study)
    assert len(found) == 4
    for arch, rate in (("tsm", 0.001), ("tdn", 0.002)):
        config = found[f"{arch.upper()}, student.dropout 0.2"]
        assert (config.teacher.weights, config.teacher.checkpoint) == (f"{arch}.safetensors", None)
        assert (config.teacher.train.learning_rate, config.teacher.train.epochs) == (rate, 25)
        assert (config.data.name, config.train.epochs, config.train.learning_rate) == ("ucf101", 2, 0.005)
    cells = expand(study, study.stages[0])
    # Fine-tuning is a task of the sweep, once per network.
    assert len({cell.teacher for cell in cells if cell.teacher}) == 2
    assert {cell.recipe for cell in cells} == {"ucf101"}
    published = configs(open_study("s.yaml", recipe="ssv2", teachers=FILES))
    assert published["TDN, student.dropout 0.1"].teacher.checkpoint == "tdn.safetensors"
    assert [config.data.flip for config in published.values()] == ["off", "off", "swap", "swap"]


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


OWN = """
recipe: own
teachers: {tsm: tsm.safetensors}
common:
  - source: a
    values: {data.name: hmdb51, teacher.backbone: resnet50, train: {batch_size: 4, learning_rate: 0.1, epochs: 9}}
"""
ON_TWO = """
study: two
recipe: own.yaml
stages:
  - name: rows
    axes: {data.name: [hmdb51, ucf101]}
    rows:
      plain: {train.batch_size: 8}
      other: {train.batch_size: 8, data.name: ssv2}
"""


def test_a_studys_own_recipe_holds_on_its_own_data_set_alone(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    (tmp_path / "s.yaml").write_text(ON_TWO)
    study = open_study("s.yaml")

    def read(cell: Cell) -> tuple[object, ...]:
        teacher, train = cell.config.teacher, cell.config.train
        return cell.config.data.name, cell.recipe, train.epochs, train.learning_rate, teacher.weights, teacher.backbone

    # The rate follows the batch by the recipe; without one a number stands for what it says.
    assert [read(cell) for cell in expand(study, study.stages[0])] == [
        ("hmdb51", "own", 9, 0.1, "tsm.safetensors", "resnet50"),
        ("ucf101", "", 40, 0.002, "random", "slim"),
        ("hmdb51", "own", 9, 0.2, "tsm.safetensors", "resnet50"),
        ("ssv2", "", 40, 0.002, "random", "slim"),
    ]
    line = (
        "\nthe study's own recipe own is made for another data set: on ucf101, ssv2 the defaults hold (--recipe names "
        "one)\n"
    )
    plan = make_plan(study, "sqlite:///none.db")
    assert line in plan_text(plan, 1) and plan_record(plan)["remarks"] == [line.strip()]
    # A file that the command gives is the teacher itself where no recipe says what else it is.
    given = open_study("s.yaml", ["teacher.backbone=resnet50"], teachers=["tsm=tsm.safetensors"])
    teachers = [cell.config.teacher for cell in expand(given, given.stages[0])]
    assert [teacher.checkpoint for teacher in teachers] == [None, "tsm.safetensors"] * 2
    # What the command names holds on every data set, and nothing is said.
    asked = open_study("s.yaml", recipe="own.yaml")
    assert {read(cell)[1:3] for cell in expand(asked, asked.stages[0])} == {("own", 9)}
    assert "own recipe" not in plan_text(make_plan(asked, "sqlite:///none.db"), 1)


def test_a_recipe_that_names_no_data_set_holds_on_all(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN.replace("data.name: hmdb51, ", ""))
    (tmp_path / "s.yaml").write_text(ON_TWO)
    study = open_study("s.yaml")
    assert {(cell.recipe, cell.config.train.epochs) for cell in expand(study, study.stages[0])} == {("own", 9)}


def test_an_extending_study_has_the_recipe_unless_it_names_another_or_none(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "own.yaml").write_text(OWN)
    (folder / "s.yaml").write_text(ON_TWO)
    # A file of the same name beside the child is not what the parent means.
    (tmp_path / "own.yaml").write_text("recipe: mine")
    names = {}
    for line in ("", "recipe: own.yaml", "recipe: shapes1", "recipe:"):
        (tmp_path / "child.yaml").write_text(f"study: child\nextends: theirs/s.yaml\n{line}\n")
        names[line] = open_study("child.yaml").underlay.name
    assert names == {"": "own", "recipe: own.yaml": "mine", "recipe: shapes1": "shapes1", "recipe:": ""}


def _identities(folder: Path | None, name: str, *settings: str, recipe: str | None = None) -> list[str]:
    """Of the cells that no choice comes before; of a study that comes with cdkd, or of its like in a folder."""
    files = ["tsm=tsm.safetensors"] if recipe == "ucf101" else []
    study = open_study(str(folder / name) if folder else name, settings, recipe=recipe, teachers=files)
    stages = [stage for stage in study.stages if stage.best is None and stage.search is None]
    return [cell.id for stage in stages for cell in expand(study, stage)]


@pytest.fixture
def without_recipe(tmp_path: Path) -> Path:
    """A folder with the studies that come with cdkd as they were before they named recipes."""
    folder = tmp_path / "before"
    folder.mkdir()
    for file in find_study("ablation").parent.glob("*.yaml"):
        lines = file.read_text().replace(", learning_rate: 0.002}", "}").splitlines()
        (folder / file.name).write_text("\n".join(line for line in lines if not line.startswith("recipe:")))
    return folder


@pytest.mark.parametrize(
    "name", ["ablation.yaml", "lambda.yaml", "gate.yaml", "graphs.yaml", "methods.yaml", "teachers.yaml"]
)
def test_the_recipe_of_a_shipped_study_changes_nothing_elsewhere(
    name: str, without_recipe: Path, tmp_path: Path
) -> None:
    before = _identities(without_recipe, name)
    assert _identities(None, name) != before
    assert _identities(None, name, recipe="shapes1") == before
    assert _identities(None, name, recipe="shapes2") == _identities(None, name)
    for number in "ab":
        (tmp_path / "videos" / number).mkdir(parents=True)
        (tmp_path / "videos" / number / "1.mp4").write_text(number)
    own = ("data.name=folder", f"data.root={tmp_path / 'videos'}", "train.batch_size=8")
    assert _identities(None, name, *own) == _identities(without_recipe, name, *own)


def test_ucf101_asked_for_is_what_it_is_without_a_recipe_of_the_study(without_recipe: Path) -> None:
    found = _identities(None, "ablation.yaml", recipe="ucf101")
    assert found == _identities(without_recipe, "ablation.yaml", recipe="ucf101")


def test_a_study_on_version_1_is_what_it_was(without_recipe: Path) -> None:
    assert _identities(None, "explore.yaml") == _identities(without_recipe, "explore.yaml")


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
        (["tsm=no.safetensors"], "ssv2", r"stage 'rows', row = spatial: --teacher tsm=.*: no such file"),
        ([], "ssv2", r"row = spatial: recipe ssv2 takes the tsm teacher that"),
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
        ("s3d=x", r"^--teacher s3d=FILE: study ablation has no teacher\.arch=s3d; known teachers: tsm$"),
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
