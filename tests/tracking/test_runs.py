"""Runs of stores that an earlier version wrote."""

from pathlib import Path

from cdkd.report.protocol import protocol_of
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.runs import load_runs
from cdkd.tracking.store import open_client
from cdkd.tracking.tracker import LoggedEpoch, RunStart


def test_former_names_are_read_and_former_residuals_kept_apart(store: str, tmp_path: Path) -> None:
    tracker = MlflowTracker(store, "mine", tmp_path / ".cdkd")
    tracker.prepare(["rows"])
    for cell, settings in (("c1", {"data.name": "shapes"}), ("c2", {"data.name": "shapes", "data.residual": "exact"})):
        run_id = tracker.open(RunStart("cell", "mine", "rows", "TSM", cell, 0, 1, "", settings, {}))
        open_client(store).set_tag(run_id, "cdkd.facts.dataset", "shapes")
    runs = load_runs().sort_values("cell")
    assert list(runs["metadata.dataset"]) == ["shapes", "shapes"]
    former, current = (
        protocol_of({"data.name": "shapes", "data.residual": value}, frozenset())
        for value in runs["settings.data.residual"]
    )
    assert {key for key in former if former[key] != current[key]} == {"data.residual"}
    assert set(runs["settings.data.sampling"]) == {"gops"}
    # What ran before losses had units ran without them.
    assert list(runs["settings.distill.calibration"]) == ["none", "none"]


def test_metrics_of_earlier_names_stand_in_the_columns_of_today(store: str, tmp_path: Path) -> None:
    tracker = MlflowTracker(store, "mine", tmp_path / ".cdkd")
    tracker.prepare(["rows"])
    earlier = {"train_loss": 2.0, "train_gate_1": 1.5, "validation_top1": 50.0, "test_top1": 48.0, "epoch_seconds": 3.0}
    today = {"train/loss": 1.0, "gate/alpha_1": 1.25, "validation/top1": 51.0, "test/top1": 49.0}
    for cell, metrics in (("c1", earlier), ("c2", {**today, "time/epoch_seconds": 4.0})):
        tracker.log(
            tracker.open(RunStart("cell", "mine", "rows", "TSM", cell, 0, 1, "", {}, {})), [LoggedEpoch(1, metrics)]
        )
    runs = load_runs().sort_values("cell").filter(like="metrics.")
    assert {name: list(runs[name]) for name in runs} == {
        "metrics.gate/alpha_1": [1.5, 1.25],
        "metrics.test/top1": [48.0, 49.0],
        "metrics.time/epoch_seconds": [3.0, 4.0],
        "metrics.train/loss": [2.0, 1.0],
        "metrics.validation/top1": [50.0, 51.0],
    }
