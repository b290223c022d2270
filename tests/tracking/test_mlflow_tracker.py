"""The tracker against a real store: what goes in comes out, and survives what can happen to it."""

import math
import multiprocessing
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from cdkd.effective_settings import BEFORE
from cdkd.tracking.mlflow_tracker import MlflowTracker, encode_setting
from cdkd.tracking.runs import BASE_COLUMNS, decode_setting, load_runs, load_scores
from cdkd.tracking.store import TrackingError, database_file, open_client, tracking_uri
from cdkd.tracking.tracker import LoggedEpoch, RunStart

SETTINGS = {
    "train.epochs": 7,
    "train.learning_rate": 2e-3,
    "train.step_epochs": [3, 5],
    "student.decoder": False,
    "data.root": None,
    "data.name": "shapes",
    "data.residual": "exact",
    "student.weights": "true",
}


def start(cell: str = "c1", seed: int = 3, attempt: int = 1, stage: str = "rows", study: str = "mine") -> RunStart:
    labels = {"network": "TSM", "row": "both"}
    return RunStart("cell", study, stage, "TSM, both", cell, seed, attempt, "plan1", SETTINGS, labels)


@pytest.fixture
def tracker(store: str, tmp_path: Path) -> MlflowTracker:
    made = MlflowTracker(store, "mine", tmp_path / ".cdkd")
    made.prepare(["rows"])
    return made


def test_a_run_comes_back_as_it_went_in(tracker: MlflowTracker, tmp_path: Path) -> None:
    run_id = tracker.open(start())
    tracker.log(run_id, [LoggedEpoch(1, {"train/loss": 2.0, "test/top1": 10.0}), LoggedEpoch(2, {"train/loss": 1.5})])
    tracker.log(run_id, [LoggedEpoch(2, {"test/top1": 61.25})])
    scores = pd.DataFrame({"video": ["a", "b"], "label": [1, 0], "score_0": [0.25, 0.5], "score_1": [0.75, 0.5]})
    scores.to_parquet(tmp_path / "test.parquet")
    tracker.attach(run_id, tmp_path / "test.parquet", "scores")
    tracker.keep_metadata(run_id, {"dataset": "shapes", "num_test_videos": "1200"})
    tracker.close(run_id, "finished")

    runs = load_runs(study="mine")
    assert tuple(runs.columns[: len(BASE_COLUMNS)]) == BASE_COLUMNS
    row = runs.iloc[0]
    assert (row.run_id, row.study, row.stage, row.label) == (run_id, "mine", "rows", "TSM, both")
    assert (row.cell, row.seed, row.status, row.attempt) == ("c1", 3, "finished", 1)
    assert (row["labels.network"], row["labels.row"]) == ("TSM", "both")
    assert (row["metrics.train/loss"], row["metrics.test/top1"]) == (1.5, 61.25)
    assert (row["metadata.dataset"], row["metadata.num_test_videos"]) == ("shapes", "1200")
    found = {key.removeprefix("settings."): row[key] for key in runs if key.startswith("settings.")}
    # What the run did not log, runs did in their way before there was the setting.
    assert found == BEFORE | SETTINGS
    assert row.started.tzinfo is not None
    pd.testing.assert_frame_equal(load_scores(run_id), scores)


def test_a_bare_mlflow_ui_finds_everything_in_the_working_directory(tracker: MlflowTracker, tmp_path: Path) -> None:
    run = open_client(tracker.uri).get_run(tracker.open(start()))
    assert tracking_uri() == "sqlite:///mlflow.db"
    assert run.info.artifact_uri == f"{tmp_path}/mlartifacts/mine/{run.info.run_id}/artifacts"
    parent = open_client(tracker.uri).get_run(run.data.tags["mlflow.parentRunId"])
    assert (parent.info.run_name, parent.data.tags["cdkd.role"]) == ("rows", "stage")
    assert run.info.run_name == "TSM, both, seed 3"


@pytest.mark.parametrize(("ending", "status"), [("diverged", "FINISHED"), ("failed", "FAILED"), ("killed", "KILLED")])
def test_how_a_run_ends(tracker: MlflowTracker, ending: str, status: str) -> None:
    run_id = tracker.open(start())
    assert list(load_runs().status) == ["running"]
    assert not tracker.cell_runs()[run_id].has_result
    tracker.close(run_id, ending, error="x" * 9000)  # type: ignore[arg-type]
    assert list(load_runs().status) == [ending]
    assert tracker.cell_runs()[run_id].status == ending
    assert tracker.cell_runs()[run_id].has_result == (ending in ("finished", "diverged"))
    assert open_client(tracker.uri).get_run(run_id).info.status == status


def test_only_open_runs_are_killed(tracker: MlflowTracker) -> None:
    first, second = tracker.open(start("c1")), tracker.open(start("c2"))
    tracker.close(first, "finished")
    assert [tracker.kill_if_open(run) for run in (first, second, second)] == [False, True, False]
    assert sorted(load_runs().status) == ["finished", "killed"]


def test_numbers_that_are_none(tracker: MlflowTracker) -> None:
    run_id = tracker.open(start())
    tracker.log(run_id, [LoggedEpoch(1, {"a": math.nan, "b": math.inf, "c": -math.inf})])
    row = load_runs().iloc[0]
    assert all(math.isnan(row[f"metrics.{name}"]) for name in "abc")


def test_more_metrics_than_a_batch_holds(tracker: MlflowTracker) -> None:
    run_id = tracker.open(start())
    history = [LoggedEpoch(epoch, {f"m{number}": epoch + number for number in range(7)}) for epoch in range(300)]
    tracker.log(run_id, history)
    history = open_client(tracker.uri).get_metric_history(run_id, "m6")
    assert [(point.step, point.value) for point in history] == [(epoch, epoch + 6.0) for epoch in range(300)]


def test_preparing_twice_changes_nothing_and_reopens_the_stage(tracker: MlflowTracker, tmp_path: Path) -> None:
    table = tmp_path / "plan.csv"
    table.write_text("a\n")
    tracker.close_stage("rows", "finished", [table])
    client = open_client(tracker.uri)
    (experiment,) = client.search_experiments(filter_string="name = 'mine'")
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["FINISHED"]
    tracker.prepare(["rows", "more"])
    runs = client.search_runs([experiment.experiment_id])
    assert sorted((run.info.run_name, run.info.status) for run in runs) == [("more", "RUNNING"), ("rows", "RUNNING")]
    with pytest.raises(TrackingError, match="holds no parent run of stage 'other' of 'mine'"):
        tracker.close_stage("other", "finished")


def test_a_deleted_experiment_is_named_with_its_remedy(tracker: MlflowTracker, store: str, tmp_path: Path) -> None:
    client = open_client(store)
    client.delete_experiment(client.get_experiment_by_name("mine").experiment_id)
    with pytest.raises(TrackingError, match=r"'mine' was deleted in sqlite:///mlflow\.db: restore it with "
                       r"`mlflow experiments restore -x 1`, or rename the study"):  # fmt: skip
        MlflowTracker(store, "mine", tmp_path).prepare([])


def test_studies_are_kept_apart(tracker: MlflowTracker, store: str, tmp_path: Path) -> None:
    other = MlflowTracker(store, "other", tmp_path)
    other.prepare(["rows"])
    tracker.open(start("c1"))
    other.open(start("c2", study="other"))
    open_client(store).create_run("0")
    assert sorted(load_runs().cell) == ["c1", "c2"]
    assert list(load_runs(study="other").cell) == ["c2"]
    assert load_runs(study="none").empty and load_runs(study="a`b'").empty


def test_more_runs_than_a_page(tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdkd.tracking.search._PAGE_SIZE", 3)
    for number in range(7):
        tracker.open(start(f"c{number}"))
    assert sorted(load_runs().cell) == [f"c{number}" for number in range(7)]


def test_reading_needs_a_store_and_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for read in (load_runs, lambda: load_scores("x")):
        with pytest.raises(TrackingError, match=r"^no tracked runs: mlflow\.db does not exist; run a sweep in this "):
            read()
    assert list(tmp_path.iterdir()) == []


def test_scores_that_are_not_there(tracker: MlflowTracker) -> None:
    run_id = tracker.open(start())
    with pytest.raises(TrackingError, match=f"^run {run_id} of sqlite:///mlflow.db keeps 0 score tables; one was"):
        load_scores(run_id)
    with pytest.raises(TrackingError, match=r"^scores of run nothing cannot be read from sqlite:///mlflow\.db: "):
        load_scores("nothing")


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert tracking_uri() == "http://host:5000"
    assert database_file("http://host:5000") is None
    assert database_file("sqlite:///a/b.db") == Path("a/b.db")
    assert database_file("sqlite:////a/b%20c.db") == Path("/a/b c.db")


@pytest.mark.parametrize("value", [1, 1.0, 0.1, True, None, [], [1, 2], "shapes", "1", "true", "null", "", '"', "[1]"])
def test_settings_keep_their_type(value: object) -> None:
    back = decode_setting(encode_setting(value))
    assert back == value and type(back) is type(value)


def test_commit_and_dirt_are_those_of_the_working_directory(tracker: MlflowTracker, tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=n", "-c", "user.email=e@e")
        done = subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    tracker.open(start("outside"))
    git("init", "-q")
    (tmp_path / "code.py").write_text("1")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/table.txt").write_text("1")
    git("add", "code.py", "reports")
    git("commit", "-qm", "one")
    # A sweep writes its own reports, and files that git does not know of are no change of the code.
    (tmp_path / "reports/table.txt").write_text("2")
    (tmp_path / "new.txt").touch()
    tracker.open(start("clean"))
    (tmp_path / "code.py").write_text("2")
    tracker.open(start("dirty"))
    runs = load_runs().set_index("cell")
    head = git("rev-parse", "HEAD")
    assert pd.isna(runs.commit["outside"])
    assert (runs.commit["clean"], bool(runs.dirty["clean"])) == (head, False)
    assert (runs.commit["dirty"], bool(runs.dirty["dirty"])) == (head, True)


def _set_up(folder: Path, number: int) -> None:
    tracker = MlflowTracker(f"sqlite:///{folder}/mlflow.db", "mine", folder)
    tracker.prepare(["rows"])
    run_id = tracker.open(start(f"c{number}"))
    for epoch in range(15):
        tracker.log(run_id, [LoggedEpoch(epoch, {"train/loss": float(epoch)})])
    tracker.close(run_id, "finished")


def test_many_processes_set_up_and_fill_a_fresh_store_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_set_up, args=(tmp_path, number)) for number in range(5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 5
    runs = load_runs(f"sqlite:///{tmp_path}/mlflow.db")
    assert sorted(runs.cell) == ["c0", "c1", "c2", "c3", "c4"]
    assert set(runs.status) == {"finished"} and set(runs["metrics.train/loss"]) == {14.0}
    client = open_client(f"sqlite:///{tmp_path}/mlflow.db")
    assert len(client.search_runs(["1"], "tags.`cdkd.role` = 'stage'")) == 1
