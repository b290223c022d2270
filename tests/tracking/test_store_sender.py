"""Writing to a store that comes and goes: nothing waits but who must, nothing is lost, nothing is there twice."""

import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest
from support.sweeps import wait_until
from support.tiny import tiny

from cdkd.tracking.logbook import read_book
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.outage import outage_reason
from cdkd.tracking.store import TrackingError, open_client
from cdkd.tracking.store_sender import StoreSender
from cdkd.tracking.tracked_run import TrackedRun, teacher_start
from cdkd.tracking.tracker import LoggedEpoch, Outcome

SETTINGS = {"teacher.arch": "tsm"}


@pytest.fixture
def tracker(store: str, tmp_path: Path) -> MlflowTracker:
    tracker = MlflowTracker(store, "study", tmp_path / "home")
    tracker.prepare(["teachers"])
    return tracker


def history(store: str, run_id: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in open_client(store).get_metric_history(run_id, "train/loss")]


def test_training_goes_on_while_the_store_is_gone_and_every_epoch_is_there_once(
    tracker: MlflowTracker, store: str, tmp_path: Path
) -> None:
    told: list[str] = []
    run = TrackedRun(tracker, teacher_start(tiny(), SETTINGS, "study", "0" * 12), tmp_path / "book", told.append)
    run.log({"train/loss": 3.0}, 1)
    run_id = run.id
    wait_until(lambda: history(store, run_id) == [(1, 3.0)])
    Path("mlflow.db").rename("elsewhere.db")
    run.log({"train/loss": 2.0}, 2)
    wait_until(lambda: bool(told))
    run.log({"train/loss": 1.0}, 3)
    assert [entry.epoch for entry in read_book(tmp_path / "book")] == [1, 2, 3]
    # No empty store is made in its place, and nothing is written to the one that was moved.
    assert not Path("mlflow.db").exists()
    assert history("sqlite:///elsewhere.db", run_id) == [(1, 3.0)]
    # A copy, and the moved one gone: what was open before must not be written to any more.
    shutil.copyfile("elsewhere.db", "mlflow.db")
    Path("elsewhere.db").unlink()
    outcome = Outcome("finished", {"test/top1": 50.0})
    run.keep(outcome)
    run.close(outcome)
    assert history(store, run_id) == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert open_client(store).get_run(run_id).info.status == "FINISHED"
    gone = (
        f"the tracking store is away (tracking store {tmp_path}/mlflow.db is gone); what is to be written waits for it"
    )
    assert told == [gone, "the tracking store is back"]


def test_a_locked_store_holds_up_nobody_who_trains(tracker: MlflowTracker, store: str, tmp_path: Path) -> None:
    run = TrackedRun(tracker, teacher_start(tiny(), SETTINGS, "study", "0" * 12), tmp_path / "book")
    run_id = run.id
    holder = sqlite3.connect("mlflow.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    for epoch in (1, 2, 3):
        run.log({"train/loss": float(epoch)}, epoch)
    # All three are in the book, none in the store: `log` has not waited for the lock.
    assert len(read_book(tmp_path / "book")) == 3
    holder.execute("COMMIT")
    holder.close()
    run.close(Outcome("finished"))
    assert history(store, run_id) == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_what_was_written_although_the_answer_was_lost_is_there_once(tracker: MlflowTracker, store: str) -> None:
    start = teacher_start(tiny(), SETTINGS, "study", "0" * 12)
    lost = {"open": 1, "log": 1}

    def once_lost(name: str, result: str) -> str:
        if lost[name]:
            lost[name] -= 1
            raise ConnectionResetError("the answer was lost")
        return result

    class Unsure(MlflowTracker):
        def _log_params(self, run_id, settings) -> None:  # type: ignore[no-untyped-def]
            super()._log_params(run_id, settings)
            once_lost("open", run_id)

    unsure = Unsure(store, "study", Path("home"))
    sender = StoreSender(lambda text: None)
    run_id = sender.submit(lambda: unsure.open(start.__class__(**{**vars(start), "token": "t1"}))).result()
    entry = LoggedEpoch(1, {"train/loss": 2.0})

    def log() -> None:
        unsure.log(run_id, [entry])
        once_lost("log", "")

    sender.submit(log).result()
    sender.end()
    client = open_client(store)
    experiment = client.get_experiment_by_name("study").experiment_id
    runs = client.search_runs([experiment], "tags.`cdkd.role` = 'teacher'")
    assert [run.info.run_id for run in runs] == [run_id]
    assert history(store, run_id) == [(1, 2.0)]


def test_a_refusal_is_no_outage_and_is_told_when_the_run_is_settled(tracker: MlflowTracker, tmp_path: Path) -> None:
    run = TrackedRun(tracker, teacher_start(tiny(), SETTINGS, "study", "0" * 12), tmp_path / "book")
    run.log({"no such: name?!": 1.0}, 1)
    with pytest.raises(Exception, match="Invalid value") as caught:
        run.keep(Outcome("finished"))
    assert outage_reason(caught.value) is None
    assert outage_reason(TrackingError("no such study")) is None


def test_a_process_that_is_asked_to_stop_does_not_wait_for_its_store(tracker: MlflowTracker, tmp_path: Path) -> None:
    run = TrackedRun(tracker, teacher_start(tiny(), SETTINGS, "study", "0" * 12), tmp_path / "book", lambda text: None)
    assert run.id
    os.rename("mlflow.db", "elsewhere.db")
    run.log({"train/loss": 1.0}, 1)
    began = time.monotonic()
    run.kill()
    assert time.monotonic() - began < 5.0
