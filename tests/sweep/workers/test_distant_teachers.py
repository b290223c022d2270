"""A teacher that another machine has trained comes from its tracked run, where this one has another `CDKD_HOME`."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from cdkd.experiment import RUNNER
from cdkd.settings import RunConfig
from cdkd.sweep.queue.trial_queue import Trial
from cdkd.sweep.workers.distant_teachers import look_for_distant_teacher, take_distant_teacher
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.tracker import CHECKPOINT, Outcome, RunStart


@pytest.fixture
def tracker(store_template: Path, tmp_path: Path) -> MlflowTracker:
    import shutil

    shutil.copyfile(store_template, tmp_path / "mlflow.db")
    found = MlflowTracker(f"sqlite:///{tmp_path}/mlflow.db", "mine", tmp_path)
    found.prepare(["teachers"])
    return found


def trained(tracker: MlflowTracker, outcome: Outcome) -> Trial:
    run_id = tracker.open(RunStart("teacher", "mine", "teachers", "teacher", "t", 0, 1, "", {}, token="t"))
    for folder, file in outcome.artifacts.items():
        tracker.attach(run_id, file, folder)
    tracker.close(run_id, outcome.status)
    return cast(Trial, SimpleNamespace(is_done=True, run_id=run_id))


def test_it_is_fetched_once_and_whole(tracker: MlflowTracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights" * 1000)
    trial, config, told = trained(tracker, Outcome("finished", {}, {CHECKPOINT: weights})), RunConfig(), []
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "elsewhere"))
    # Before anybody has trained it, whoever needs it does.
    assert not take_distant_teacher(None, tracker, RUNNER, config)
    look_for_distant_teacher(trial, tracker, RUNNER, config, told.append)
    assert told == ["taken    teacher tsm (slim) from its tracked run"]
    (copy,) = (tmp_path / "elsewhere/teachers").rglob("model.safetensors*")
    assert RUNNER.has_teacher(config) and copy.read_bytes() == weights.read_bytes()
    assert not take_distant_teacher(trial, tracker, RUNNER, config)


def test_without_a_checkpoint_in_its_run_it_is_trained_again(
    tracker: MlflowTracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "elsewhere"))
    told: list[str] = []
    look_for_distant_teacher(trained(tracker, Outcome("finished")), tracker, RUNNER, RunConfig(), told.append)
    assert len(told) == 1 and "keeps 0 checkpoints" in told[0]
    assert told[0].startswith("teacher tsm (slim) is trained again: run ")
