"""Runs of stores that an earlier version wrote."""

from pathlib import Path

from cdkd.report.protocol import protocol_of
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.runs import load_runs
from cdkd.tracking.store import open_client
from cdkd.tracking.tracker import RunStart


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
