"""Checkpoints kept by tracked runs: fetched by run id and by registered model, registered version by version."""

from pathlib import Path

import pytest

from cdkd.tracking.artifacts import fetch_checkpoint, register_run
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.store import TrackingError, open_client
from cdkd.tracking.tracker import RunStart


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture(scope="module")
def tracker(uri: str, tmp_path_factory: pytest.TempPathFactory) -> MlflowTracker:
    tracker = MlflowTracker(uri, "study", tmp_path_factory.mktemp("home"))
    tracker.prepare(["rows"])
    return tracker


def tracked_run(tracker: MlflowTracker, folder: Path, content: bytes | None) -> str:
    run_id = tracker.open(RunStart("cell", "study", "rows", "row", "0" * 12, 0, 1, "plan", {"seed": 0}))
    if content is not None:
        (folder / "model.safetensors").write_bytes(content)
        tracker.attach(run_id, folder / "model.safetensors", "checkpoint")
    return run_id


def test_versions_lead_back_to_their_runs_checkpoints(tracker: MlflowTracker, uri: str, tmp_path: Path) -> None:
    runs = [tracked_run(tracker, tmp_path, content) for content in (b"first", b"second")]
    for run_id in runs:
        tracker.close(run_id, "finished")
    assert [register_run(run_id, "gestures", uri) for run_id in runs] == ["1", "2"]
    assert fetch_checkpoint(runs[0], tmp_path / "a", uri).read_bytes() == b"first"
    assert fetch_checkpoint("models:/gestures/2", tmp_path / "b", uri).read_bytes() == b"second"
    open_client(uri).set_registered_model_alias("gestures", "best", "1")
    assert fetch_checkpoint("models:/gestures@best", tmp_path / "c", uri).read_bytes() == b"first"
    for wrong in ("models:/gestures/3", "models:/nobody/1", "models:/gestures", "0" * 32):
        with pytest.raises(TrackingError, match=wrong):
            fetch_checkpoint(wrong, tmp_path / "d", uri)


def test_only_finished_runs_with_a_checkpoint_can_be_registered(
    tracker: MlflowTracker, uri: str, tmp_path: Path
) -> None:
    running = tracked_run(tracker, tmp_path, b"running")
    with pytest.raises(TrackingError, match=f"run {running} is running; only finished runs"):
        register_run(running, "gestures", uri)
    empty = tracked_run(tracker, tmp_path, None)
    tracker.close(empty, "finished")
    with pytest.raises(TrackingError, match="keeps 0 checkpoints"):
        register_run(empty, "gestures", uri)
    with pytest.raises(TrackingError, match=r"keeps 0 checkpoints: it is row \(finished\); only runs that finished"):
        fetch_checkpoint(empty, tmp_path / "none", uri)
    with pytest.raises(TrackingError, match=r"missing.db does not exist"):
        register_run(empty, "gestures", f"sqlite:///{tmp_path}/missing.db")


def test_a_run_that_has_no_network_says_what_it_is(tracker: MlflowTracker, uri: str, tmp_path: Path) -> None:
    client = open_client(uri)
    tracker.close_stage("rows", "finished")
    experiment = client.get_experiment_by_name("study").experiment_id
    (parent,) = client.search_runs([experiment], "tags.`cdkd.role` = 'stage'")
    said = "it is the parent run of stage rows, which trains nothing; give the id of the run of one of its cells"
    with pytest.raises(TrackingError, match=said):
        fetch_checkpoint(parent.info.run_id, tmp_path, uri)
    with pytest.raises(TrackingError, match=said):
        register_run(parent.info.run_id, "gestures", uri)
    teacher = tracker.open(RunStart("teacher", "study", "rows", "teacher tsm", "0" * 12, 0, 1, "", {}))
    client.set_tag(teacher, "cdkd.facts.checkpoint", "/home/teachers/tsm/model.safetensors")
    with pytest.raises(TrackingError, match=r"a teacher's of an earlier version; give its file: /home/teachers/tsm/"):
        fetch_checkpoint(teacher, tmp_path, uri)
