"""What a run in MLflow holds beside its curves: its data set, what it ran on, its log, how busy the machine was."""

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.sweeps import ready_store

from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.store import open_client
from cdkd.tracking.tracked_run import TrackedRun
from cdkd.tracking.tracker import Outcome, RunStart

METADATA = {
    "dataset": "shapes",
    "dataset_version": "0123456789abcdef0123456789abcdef0123456789abcdef",
    "split": "1",
    "num_train_videos": "80",
    "num_test_videos": "1200",
}


@pytest.fixture
def tracker(tmp_path: Path, store_template: Path) -> MlflowTracker:
    ready_store(store_template, tmp_path)
    tracker = MlflowTracker(f"sqlite:///{tmp_path}/mlflow.db", "mine", tmp_path)
    tracker.prepare(["rows"])
    return tracker


def _start(role: str) -> RunStart:
    return RunStart(role, "mine", "rows", "TSM, both", "cell00000000", 3, 2, "plan", {"seed": 3})  # type: ignore[arg-type]


@pytest.mark.parametrize("role", ["cell", "teacher"])
def test_a_finished_run_holds_all_of_it(tracker: MlflowTracker, tmp_path: Path, role: str) -> None:
    run = TrackedRun(tracker, _start(role), tmp_path / "work/metrics.jsonl")
    run.log({"train/loss": 0.5}, 1)
    logging.getLogger("cdkd.somewhere").warning("something to %s", "know")
    outcome = Outcome("finished", {"test/top1": 61.25}, metadata=METADATA)
    run.keep(outcome)
    run.close(outcome)
    logging.getLogger("cdkd.somewhere").warning("of another run")

    client = open_client(tracker.uri)
    found = client.get_run(run.id)
    # 1. The data set, once for what it was used for.
    inputs = {each.tags[0].value: each.dataset for each in found.inputs.dataset_inputs}
    assert {each.tags[0].key for each in found.inputs.dataset_inputs} == {"mlflow.data.context"}
    assert {use: json.loads(each.profile)["num_videos"] for use, each in inputs.items()} == {
        "training": 80,
        "test": 1200,
    }
    assert {use: each.name for use, each in inputs.items()} == {"training": "shapes train", "test": "shapes test"}
    assert {each.digest for each in inputs.values()} == {METADATA["dataset_version"][:36]}
    # 2. What it ran on.
    told = {name.removeprefix("cdkd.metadata."): text for name, text in found.data.tags.items()}
    assert told["python"].startswith("3.") and "torch " in told["packages"] and told["machine"].endswith(" cores")
    # 3. How busy the machine was, epoch by epoch.
    (sample,) = client.get_metric_history(run.id, "system/process_memory_usage_megabytes")
    assert sample.step == 1 and sample.value > 10
    # 4. Its log.
    log = Path(client.download_artifacts(run.id, "log.txt", str(tmp_path))).read_text()
    assert [line.split(" ", 2)[2] for line in log.splitlines()] == [
        "TSM, both, seed 3, attempt 2 of mine",
        "epoch 1: train/loss 0.5",
        "warning: something to know",
        "epoch 1: test/top1 61.25",
    ]


def test_a_failed_run_has_its_log_too(tracker: MlflowTracker, tmp_path: Path) -> None:
    run = TrackedRun(tracker, _start("cell"), tmp_path / "work/metrics.jsonl")
    report = tmp_path / "traceback.txt"
    report.write_text("Traceback ...\n")
    run.fail(ValueError("no such thing"), report)
    log = Path(open_client(tracker.uri).download_artifacts(run.id, "log.txt", str(tmp_path))).read_text()
    assert log.endswith("failed: ValueError: no such thing\n")
    assert not open_client(tracker.uri).get_run(run.id).inputs.dataset_inputs


def test_a_stage_keeps_its_last_figures(tracker: MlflowTracker) -> None:
    tracker.log_stage("rows", {"best/test/top1": 60.0})
    tracker.log_stage("rows", {"best/test/top1": 62.0})
    client = open_client(tracker.uri)
    (parent,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    assert parent.data.metrics == {"best/test/top1": 62.0}


def test_runs_that_begin_with_a_data_set_at_the_same_moment_all_hold_it(tracker: MlflowTracker) -> None:
    num_runs = 6
    runs = [tracker.open(_start("cell")) for _ in range(num_runs)]
    for version in ("one", "two", "three"):
        together = threading.Barrier(num_runs)

        def keep(run_id: str, version: str = version, together: threading.Barrier = together) -> None:
            together.wait()
            tracker.keep_metadata(run_id, {**METADATA, "dataset_version": version})

        with ThreadPoolExecutor(num_runs) as pool:
            list(pool.map(keep, runs))
    for run_id in runs:
        inputs = open_client(tracker.uri).get_run(run_id).inputs.dataset_inputs
        assert {each.dataset.digest for each in inputs} == {"one", "two", "three"}
