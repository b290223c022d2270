"""Plain queries find in a store's file what MLflow finds in it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.sweeps import ready_store

import cdkd.tracking.runs as runs_module
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.runs import load_runs, load_scores
from cdkd.tracking.sqlite_runs import find_artifacts, read_cells
from cdkd.tracking.store import TrackingError, open_client
from cdkd.tracking.tracker import LoggedEpoch, RunStart


@pytest.fixture
def file(tmp_path: Path, store_template: Path) -> Path:
    """Three studies: one adopted a run of another, the third was deleted; runs of every role, status and kind."""
    ready_store(store_template, tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for study in ("one", "two", "gone"):
        tracker = MlflowTracker(uri, study, tmp_path)
        tracker.prepare(["rows"])
        kept = []
        for number, role in enumerate(("cell", "cell", "teacher", "cell")):
            settings: dict[str, Any] = {
                "seed": number,
                "student.arch": "tsm",
                "data.name": "8",
                "train.milestones": [1],
            }
            start = RunStart(role, study, "rows", f"row {number}", f"{study}{number}", number, 1, "p", settings)  # type: ignore[arg-type]
            kept.append(tracker.open(start))
        tracker.log(kept[0], [LoggedEpoch(1, {"test/top1": 1.0}), LoggedEpoch(2, {"test/top1": 62.5})])
        tracker.log(kept[1], [LoggedEpoch(1, {"train/loss": float("nan")})])
        tracker.keep_metadata(kept[0], {"split": "1"})
        tracker.close(kept[0], "finished")
        tracker.close(kept[1], "diverged")
        open_client(uri).delete_run(kept[3])
    first = load_runs(uri, "one").iloc[0]
    open_client(uri).set_tag(first.run_id, "cdkd.adopted.two", "rows")
    client = open_client(uri)
    client.delete_experiment(client.get_experiment_by_name("gone").experiment_id)
    return tmp_path / "mlflow.db"


@pytest.mark.parametrize("study", [None, "one", "two", "gone", "never"])
def test_the_same_table_as_by_mlflow(file: Path, study: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"sqlite:///{file}"
    by_queries = load_runs(uri, study)
    monkeypatch.setattr(runs_module, "read_cells", lambda file, study: None)
    by_mlflow = load_runs(uri, study)
    pd.testing.assert_frame_equal(by_queries, by_mlflow)
    assert len(by_queries) == {None: 4, "one": 2, "two": 3}.get(study, 0)


def test_a_table_that_is_not_as_expected_is_left_to_mlflow(file: Path) -> None:
    assert read_cells(file, None)
    connection = sqlite3.connect(file)
    connection.execute("ALTER TABLE latest_metrics RENAME COLUMN is_nan TO is_none")
    connection.commit()
    connection.close()
    assert read_cells(file, None) is None


def test_scores_are_read_where_they_lie_and_else_through_mlflow(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"sqlite:///{file}"
    run = load_runs(uri, "one").iloc[0].run_id
    scores = pd.DataFrame({"video": ["a", "b"], "label": [1, 0], "score_0": [0.25, 0.5], "score_1": [0.75, 0.5]})
    scores.attrs["classes"] = ["one", "two"]
    path = file.parent / "test.parquet"
    scores.to_parquet(path)
    MlflowTracker(uri, "one", file.parent).attach(run, path, "scores")
    by_mlflow = runs_module._fetch_scores(run, uri)
    with monkeypatch.context() as patched:
        patched.setattr(runs_module, "open_client", None)
        where_they_lie = load_scores(run, uri)
    for found in (where_they_lie, by_mlflow):
        pd.testing.assert_frame_equal(found, scores)
        assert found.attrs == scores.attrs
    # A folder as an address, and one that is no folder of this machine.
    (artifacts,) = file.parent.glob(f"mlartifacts/*/{run}/artifacts")
    for address, expected in ((artifacts.as_uri(), artifacts), ("s3://bucket/run", None), ("file:///away", None)):
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (address, run))
        assert find_artifacts(file, run) == expected
    assert find_artifacts(file, "no such run") is None


def test_a_score_file_that_is_none_is_told(file: Path) -> None:
    uri = f"sqlite:///{file}"
    run = load_runs(uri, "one").iloc[0].run_id
    path = file.parent / "test.parquet"
    path.write_bytes(b"not parquet at all")
    MlflowTracker(uri, "one", file.parent).attach(run, path, "scores")
    with pytest.raises(TrackingError, match=f"scores of run {run} cannot be read from {uri}: "):
        load_scores(run, uri)
