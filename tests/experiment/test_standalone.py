"""A training outside of any sweep that is interrupted goes on, and its run tells of all of it."""

from pathlib import Path
from typing import Any

import pytest
from support.tiny import BASELINE, tiny

from cdkd.experiment.inputs import RunError
from cdkd.experiment.standalone import Attempts, train_student
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.store import open_client, tracking_uri
from cdkd.train.processes import ALONE


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)


def train(folder: Path, stop_after: int = 99) -> None:
    def tell(metrics: dict[str, float], epoch: int) -> None:
        if epoch == stop_after:
            raise KeyboardInterrupt

    config = tiny(train__epochs=3, **BASELINE)
    train_student(config, folder, MlflowTracker(tracking_uri(), "train", Path(".cdkd")), "train", tell, ALONE)


def runs_by_attempt() -> list[Any]:
    client = open_client(tracking_uri())
    (config,) = client.search_experiments(filter_string="name = 'train'")
    runs = client.search_runs([config.experiment_id], "tags.`cdkd.role` = 'cell'")
    return sorted(runs, key=lambda run: str(run.data.tags["cdkd.attempt"]))


def test_the_second_attempt_shows_every_epoch_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", stop_after=2)
    train(tmp_path / "run")
    first, second = runs_by_attempt()
    assert [run.data.tags["cdkd.attempt"] for run in (first, second)] == ["1", "2"]
    assert (first.info.status, second.info.status) == ("KILLED", "FINISHED")
    client = open_client(tracking_uri())
    steps = [point.step for point in client.get_metric_history(second.info.run_id, "train/loss")]
    assert steps == [1, 2, 3]
    assert "test/top1" in second.data.metrics
    # What comes after a training that ended is a first attempt again, and trains nothing.
    train(tmp_path / "run", stop_after=1)
    assert [run.data.tags["cdkd.attempt"] for run in runs_by_attempt()] == ["1", "1", "2"]


def test_a_run_that_a_dead_process_left_open_is_ended(tmp_path: Path) -> None:
    class Tracker:
        def __init__(self) -> None:
            self.ended: list[str] = []

        def kill_if_open(self, run_id: str) -> bool:
            self.ended.append(run_id)
            return True

    attempts, tracker = Attempts(tmp_path), Tracker()
    assert attempts.begin(tracker) == 1  # type: ignore[arg-type]
    attempts.note("a")
    assert Attempts(tmp_path).begin(tracker) == 2  # type: ignore[arg-type]
    assert tracker.ended == ["a"]
    attempts.end()
    assert attempts.begin(tracker) == 1  # type: ignore[arg-type]


def test_a_second_process_is_refused_with_the_folder(tmp_path: Path) -> None:
    refused = pytest.raises(RunError, match=r"run: another process is at this very training")
    with Attempts(tmp_path / "run").alone(), refused:
        train(tmp_path / "run")
    with Attempts(tmp_path / "run").alone():
        pass
