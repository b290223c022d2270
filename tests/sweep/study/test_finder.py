"""The studies that come with cdkd: Table 4, Table 5, other methods and the choice of teachers, row by row."""

from pathlib import Path

import pytest

from cdkd.config import ConfigError
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.study.expansion import combinations, expand
from cdkd.sweep.study.finder import find_study
from cdkd.sweep.study.reading import load_study
from cdkd.sweep.study.records import Overrides, Study


@pytest.mark.parametrize(("name", "arch"), [("ablation", "tsm"), ("ablation-tdn", "tdn")])
def test_the_ablations_have_the_rows_of_table_4_and_one_more(
    name: str, arch: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    study = load_study(find_study(name))
    assert (study.name, study.tables, arch.upper() in study.description) == (name, ("4",), True)
    (stage,) = study.stages
    cells = expand(study, stage)

    def row(cell: Cell) -> tuple[str, str, bool, str, bool, bool]:
        run = cell.config
        return (run.student.arch, run.teacher.arch, run.student.decoder, run.student.head,
                "spatial" in run.distill.used, "temporal" in run.distill.used)  # fmt: skip

    expected = [
        (False, "streams", False, False),
        (True, "both", False, False),
        (True, "both", True, False),
        (True, "both", False, True),
        (True, "both", True, True),
    ]
    assert [row(cell) for cell in cells] == [(arch, arch, *rest) for rest in expected]
    assert [cell.label for cell in cells] == ["baseline", "decoder, no KD", "spatial", "temporal", "both"]
    # One teacher serves all rows; those without distillation need none.
    assert len({cell.teacher for cell in cells if cell.teacher}) == 1
    assert [cell.teacher is None for cell in cells] == [True, True, False, False, False]


def test_each_study_names_the_version_of_the_embedded_data_set_that_it_is_made_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = find_study("ablation").parent
    versions = {}
    for file in sorted(folder.glob("*.yaml")):
        study = load_study(file)
        configs = [study.underlay.build({**values, "seed": 0}) for values in _first_values(study)]
        assert {config.data.name for config in configs} == {"shapes"}
        versions[file.stem] = {(study.underlay.name, config.data.shapes.version) for config in configs}
    first = {"explore"}
    assert {"ablation", "archive", "gate", "lambda", "lambda-tdn", "methods", "teachers"} <= versions.keys() - first
    assert versions == {name: {("shapes1", 1) if name in first else ("shapes2", 2)} for name in versions}


def _first_values(study: Study) -> list[Overrides]:
    return [values for _, values in combinations(study, study.stages[0])]


@pytest.mark.parametrize(("name", "arch"), [("lambda", "tsm"), ("lambda-tdn", "tdn")])
def test_the_lambda_studies_search_as_table_5(
    name: str, arch: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    study = load_study(find_study(f"{name}.yaml"))
    first, second, third = study.stages
    assert (study.name, study.tables) == (name, ("5",))

    def weights(cell: Cell) -> tuple[float, float, bool, bool]:
        run = cell.config
        return (
            run.distill.spatial.weight * ("spatial" in run.distill.used),
            run.distill.temporal.weight * ("temporal" in run.distill.used),
            "logits" in run.distill.used,
            run.student.decoder,
        )

    assert [weights(cell) for cell in expand(study, first)] == [
        (0.0, 0.0, False, False), (0.01, 0.0, False, True), (0.1, 0.0, False, True), (1.0, 0.0, False, True),
    ]  # fmt: skip
    taken = {"distill.spatial.weight": 0.01}
    assert [weights(cell) for cell in expand(study, second, taken)] == [
        (0.01, 0.1, False, True), (0.01, 1.0, False, True), (0.01, 5.0, False, True),
    ]  # fmt: skip
    taken |= {"distill.temporal.weight": 5.0}
    assert [weights(cell) for cell in expand(study, third, taken)] == [
        (0.01, 0.0, True, True), (0.01, 5.0, True, True),
    ]  # fmt: skip
    assert {(cell.config.student.arch, cell.config.teacher.arch) for cell in expand(study, first)} == {(arch, arch)}
    assert second.best is not None and second.best.metric.startswith("validation/")
    # What Table 4 has trained is not trained again.
    own = {"tsm": "ablation", "tdn": "ablation-tdn"}
    (rows,) = (ablation := load_study(find_study(own[arch]))).stages
    shared = {cell.id for cell in expand(ablation, rows)} & {cell.id for cell in expand(study, first)}
    assert len(shared) == 2


def test_the_methods_study_tries_three_weights_of_every_loss(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    study = load_study(find_study("methods"))
    assert study.tables == ("methods",)
    weights, *chosen, both = study.stages
    cells = expand(study, weights)

    def losses(cell: Cell) -> dict[str, float]:
        return {name: loss.weight for name, loss in cell.config.distill.used.items()}

    expected = {
        "spatial": (0.01, 0.1, 1.0),
        "temporal": (0.1, 1.0, 5.0),
        "logits": (0.1, 0.3, 1.0),
        "attention_transfer": (10.0, 30.0, 100.0),
        "relational": (0.3, 1.0, 3.0),
        "decoupled": (0.1, 0.3, 1.0),
        "standardised_logits": (1.0, 3.0, 9.0),
        "dist": (0.1, 0.3, 1.0),
        "mgd": (0.1, 1.0, 10.0),
    }
    tried = [{name: weight} for name, three in expected.items() for weight in three]
    assert [losses(cell) for cell in cells] == [{}, {}, *tried]
    assert [cell.config.student.decoder for cell in cells] == [False, *[True] * (len(cells) - 1)]
    # Each later stage chooses among the three weights of one loss, and trains nothing that the first did not.
    for stage, (name, three) in zip(chosen, expected.items(), strict=True):
        assert stage.best is not None and stage.best.metric == "validation/top1"
        among = [cell for cell in cells if stage.best.among.selects(cell.labels)]
        assert [losses(cell) for cell in among] == [{name: weight} for weight in three]
        taken = {f"distill.{name}.enabled": True, f"distill.{name}.weight": three[1]}
        assert [cell.id for cell in expand(study, stage, taken)] == [among[1].id]
    found = expand(study, both, {"distill.spatial.enabled": True, "distill.spatial.weight": 0.01})
    assert [losses(cell) for cell in found] == [{"spatial": 0.01, "temporal": weight} for weight in (0.1, 1.0, 5.0)]


def test_the_teachers_study_varies_the_teacher_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    study = load_study(find_study("teachers"))
    cells = expand(study, study.stages[0])
    assert [(cell.config.student.arch, cell.config.teacher.arch) for cell in cells[:2]] == [
        ("tsm", "tsm"),
        ("tsm", "tdn"),
    ]
    assert len({cell.config.model_copy(update={"teacher": cells[0].config.teacher}).model_dump_json()
                for cell in cells[:2]}) == 1  # fmt: skip
    # Every teacher that there is; torchvision's need a file.
    assert [values["teacher.arch"] for _, values in list(combinations(study, study.stages[0]))[:-1]] == [
        "tsm", "tdn", "s3d", "r2plus1d_18", "swin3d_t", "mvit_v2_s",
    ]  # fmt: skip
    assert [cell.label for cell in cells] == ["TSM", "TDN", "no KD, no decoder"]


def test_the_unlabelled_study_adds_clips_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    study = load_study(find_study("unlabelled"))
    cells = expand(study, study.stages[0])
    steps = {12 * c.config.data.shapes.train_clips_per_class // 12 * c.config.train.epochs for c in cells}
    assert steps == {1200} and {c.config.train.batch_size for c in cells} == {12}
    assert all(12 * c.config.train.warmup_epochs == c.config.train.epochs for c in cells)
    assert [c.labels["labels per class"] for c in cells] == [number for number in ("10", "25", "100") for _ in range(7)]
    # Without unlabelled clips the last ones are the recipe's own rows.
    ablation = load_study(find_study("ablation"))
    own = {cell.id for cell in expand(ablation, ablation.stages[0])}
    assert {cell.id for cell in cells[14:18]} <= own and not {cell.id for cell in cells[:14]} & own
    for start in range(0, 21, 7):
        few = cells[start : start + 7]
        assert [c.config.unlabelled_per_step for c in few] == [0, 0, 0, 0, 12, 12, 12]
        for without, beside in zip(few[1:4], few[4:], strict=True):
            assert beside.label == f"{without.label}, unlabelled"
            without_them = {"data": without.config.data, "train": without.config.train}
            assert beside.config.model_copy(update=without_them) == without.config
            assert beside.config.data.model_copy(update={"unlabelled": "none"}) == without.config.data


def test_the_archive_study_varies_the_number_of_unlabelled_videos(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    study, few = load_study(find_study("archive")), load_study(find_study("unlabelled"))
    cells = expand(study, study.stages[0])
    # Who learns from no teacher sees none of them, so that this row stands once.
    numbers = [cell.labels["unlabelled videos"] for cell in cells]
    assert numbers == ["0"] * 4 + [number for number in ("100", "300", "1200") for _ in range(3)]
    told = {"0": "all", "100": 100, "300": 300, "1200": "all"}
    assert [cell.config.data.unlabelled_videos for cell in cells] == [told[number] for number in numbers]
    assert [cell.config.unlabelled_per_step for cell in cells] == [0] * 4 + [12] * 9
    others = {cell.id for cell in expand(few, few.stages[0]) if cell.labels["labels per class"] == "25"}
    assert {cell.id for cell in cells if cell.labels["unlabelled videos"] in ("0", "1200")} == others


def test_a_study_is_found_as_given_then_in_sweeps_then_among_the_shipped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = find_study("ablation.yaml")
    assert shipped.is_absolute() and shipped.name == "ablation.yaml"
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps/ablation.yaml").touch()
    assert find_study("ablation") == Path("sweeps/ablation.yaml")
    (tmp_path / "ablation.yaml").touch()
    assert find_study("ablation") == Path("ablation.yaml")
    with pytest.raises(ConfigError) as caught:
        find_study("abaltion.yaml")
    assert str(caught.value) == (
        "abaltion.yaml: no such study file, here or in ./sweeps; did you mean 'ablation.yaml'?"
    )
