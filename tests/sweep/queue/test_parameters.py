"""What Optuna's own tools see of a study: parameters with tight ranges, one Optuna study per stage."""

from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from cdkd.sweep.queue.cell_configuration import configurations_of
from cdkd.sweep.queue.parameters import parameters_of
from cdkd.sweep.queue.stage_cells import resolve_stages
from cdkd.sweep.queue.storage import open_journal, optuna_study_name
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import TrialQueue
from cdkd.sweep.study.expansion import expand
from cdkd.sweep.study.reading import load_study

STUDY = """
study: search
seeds: [3, 4]
stages:
  - name: grid
    axes:
      distill.spatial.weight: [0.01, 0.1, 1]
      distill.temporal:
        "off": {distill.temporal.enabled: false}
        "half": {distill.temporal.weight: 0.5}
        "one": {distill.temporal.weight: 1.0}
      train.epochs: [10, 15]
      teacher.arch: [tsm, tdn]
      teacher.checkpoint: {a: {teacher.checkpoint: null}}
"""


def study_file(folder: Path) -> Path:
    file = folder / "study.yaml"
    file.write_text(STUDY)
    return file


def test_a_parameter_is_what_the_stage_varies_within_the_range_that_it_has(tmp_path: Path) -> None:
    study = load_study(study_file(tmp_path))
    cells = expand(study, study.stages[0])
    first, *_ = found = parameters_of(configurations_of(cells))
    assert first.values == {
        "distill.spatial.weight": 0.01,
        "distill.temporal.enabled": False,
        "teacher.arch": "tsm",
        "train.epochs": 10,
    }
    assert first.distributions == {
        "distill.spatial.weight": FloatDistribution(0.01, 1.0, log=True),
        "distill.temporal.enabled": CategoricalDistribution((False, True)),
        "teacher.arch": CategoricalDistribution(("tsm", "tdn", "mvit_v2_s", "swin3d_t", "s3d", "r2plus1d_18")),
        "train.epochs": IntDistribution(10, 15),
    }
    # The temporal weight is nobody's parameter where the loss is off.
    weights = {one.values.get("distill.temporal.weight") for one in found}
    assert weights == {None, 0.5, 1.0}
    assert {cell.seed for cell in cells} == {3, 4} and "seed" not in first.values


def test_optunas_own_tools_show_the_study(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "search")
    (known,) = resolve_stages(load_study(study_file(tmp_path)), folder)
    queue = TrialQueue(folder)
    queue.enqueue(known.tasks())
    while (claim := queue.claim()) is not None:
        values = claim.trial.task.parameters.values
        queue.finish(claim.trial.number, 50 + 10 * values["distill.spatial.weight"] + values["train.epochs"] / 100)
        claim.lock.release()
    study = optuna.load_study(study_name=optuna_study_name("search", "grid"), storage=open_journal(folder.journal))
    assert len(study.trials) == 72 and study.best_params["distill.spatial.weight"] == 1.0
    assert {trial.user_attrs["seed"] for trial in study.trials} == {3, 4}
    assert {trial.user_attrs["labels.distill.temporal"] for trial in study.trials} == {"off", "half", "one"}
    importances = optuna.importance.get_param_importances(study)
    assert importances["distill.spatial.weight"] > 0.9 and importances["teacher.arch"] < 0.05
    frame = study.trials_dataframe()
    assert sorted(frame["params_distill.spatial.weight"].unique()) == [0.01, 0.1, 1.0]
    axes = optuna.visualization.matplotlib.plot_slice(study, params=["distill.spatial.weight", "train.epochs"])
    assert len(axes) == 2


def test_a_trial_that_is_enqueued_again_keeps_its_parameters(tmp_path: Path) -> None:
    from cdkd.sweep.queue.stale_trials import settle

    folder = StudyFolder(tmp_path / "search")
    (known,) = resolve_stages(load_study(study_file(tmp_path)), folder)
    queue = TrialQueue(folder)
    queue.enqueue(known.tasks()[:1])
    claim = queue.claim()
    assert claim is not None
    claim.lock.release()
    assert settle(queue, claim.trial, is_complete=False) == "stale"
    again = queue.claim()
    assert again is not None
    assert again.trial.task == claim.trial.task and again.trial.task.parameters.values["teacher.arch"] == "tsm"
