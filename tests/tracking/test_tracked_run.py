"""One attempt at a training in a store: what it keeps, and how it ends when the store fails too."""

from pathlib import Path

import pytest
import yaml
from support.tiny import tiny

from cdkd.errors import CdkdError
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.store import open_client
from cdkd.tracking.tracked_run import TrackedRun, error_text, teacher_start
from cdkd.tracking.tracker import CHECKPOINT, Outcome

SETTINGS = {
    "teacher.arch": "tsm",
    "data.split": 2,
    "train.epochs": 3,
    "content.teacher.weights": "ab",
    "content.x": "c",
}


@pytest.fixture
def tracker(store: str, tmp_path: Path) -> MlflowTracker:
    tracker = MlflowTracker(store, "study", tmp_path / "home")
    tracker.prepare(["teachers"])
    return tracker


def test_a_run_keeps_configuration_metrics_and_files(tracker: MlflowTracker, store: str, tmp_path: Path) -> None:
    config = tiny(teacher__seed=4)
    start = teacher_start(config, SETTINGS, "study", "0" * 12, attempt=2)
    run = TrackedRun(tracker, start, tmp_path / "deep" / "metrics.jsonl")
    run.attach_configuration(config)
    run.log({"train/loss": 2.0}, 1)
    run.log({"train/loss": 1.0}, 2)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    outcome = Outcome(
        "finished", {"test/top1": 87.5}, {CHECKPOINT: tmp_path / "model.safetensors"}, {"dataset": "shapes"}
    )
    run.keep(outcome)
    run.close(outcome)

    client = open_client(store)
    found = client.get_run(run.id)
    metrics = {name: value for name, value in found.data.metrics.items() if not name.startswith("system/")}
    assert (found.info.status, metrics) == ("FINISHED", {"train/loss": 1.0, "test/top1": 87.5})
    assert [point.value for point in client.get_metric_history(run.id, "train/loss")] == [2.0, 1.0]
    tags = found.data.tags
    assert (tags["cdkd.label"], tags["cdkd.seed"], tags["cdkd.attempt"]) == ("teacher tsm (slim)", "4", "2")
    assert tags["cdkd.metadata.dataset"] == "shapes"
    assert found.data.params == {"teacher.arch": "tsm", "data.split": "2", "content.teacher.weights": "ab"}
    kept = yaml.safe_load(Path(client.download_artifacts(run.id, "config.yaml", str(tmp_path))).read_text())
    assert kept["teacher"]["seed"] == 4
    assert Path(client.download_artifacts(run.id, "checkpoint/model.safetensors", str(tmp_path))).read_bytes()


def test_a_failure_is_told_in_the_users_words(tracker: MlflowTracker, store: str, tmp_path: Path) -> None:
    run = TrackedRun(tracker, teacher_start(tiny(), SETTINGS, "study", "0" * 12), tmp_path / "metrics.jsonl")
    (tmp_path / "traceback.txt").write_text("Traceback: where it happened")
    run.fail(CdkdError("teacher.backbone: choose another"), tmp_path / "traceback.txt")
    found = open_client(store).get_run(run.id)
    assert (found.info.status, found.data.tags["cdkd.error"]) == ("FAILED", "teacher.backbone: choose another")
    kept = open_client(store).download_artifacts(run.id, "failure/traceback.txt", str(tmp_path / ""))
    assert Path(kept).read_text() == "Traceback: where it happened"
    assert error_text(ValueError("odd")) == "ValueError: odd"


def test_a_store_that_fails_too_does_not_hide_the_first_error(tmp_path: Path) -> None:
    class Broken:
        def open(self, start: object) -> str:
            return "run"

        def attach(self, *arguments: object) -> None:
            raise OSError("disk full")

    start = teacher_start(tiny(), SETTINGS, "study", "0" * 12)
    run = TrackedRun(Broken(), start, tmp_path / "metrics.jsonl")  # type: ignore[arg-type]
    (tmp_path / "traceback.txt").write_text("first error")
    run.fail(RuntimeError("first"), tmp_path / "traceback.txt")
    text = (tmp_path / "traceback.txt").read_text()
    assert text.startswith("first error\nwhile recording it:\nTraceback") and text.rstrip().endswith("disk full")
