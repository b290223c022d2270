"""Worker processes that end otherwise than they should."""

import os
import re
import signal

import pytest
from support.sweeps import FAKE, Bench, wait_until

from cdkd.errors import CdkdError
from cdkd.settings import RunConfig
from cdkd.sweep.queue.cell_configuration import configurations_of
from cdkd.sweep.queue.store_record import write_store_record
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, TrialQueue
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.workers.places import Places
from cdkd.sweep.workers.pool import Workers
from cdkd.tracking.mlflow_tracker import MlflowTracker


@pytest.fixture
def folder(bench: Bench) -> StudyFolder:
    made = StudyFolder(bench.folder / ".cdkd/mine")
    TrialQueue(made)
    write_store_record(made, "sqlite:///mlflow.db", FAKE)
    MlflowTracker("sqlite:///mlflow.db", "mine", bench.folder).prepare([])
    return made


def queue_one_cell(folder: StudyFolder) -> None:
    (configuration,) = configurations_of([Cell("stage", {}, RunConfig())])
    TrialQueue(folder).enqueue([QueuedTask("a", "cell", "stage", configuration=configuration)])


def ids(workers: Workers) -> list[int]:
    return [worker.process.pid for worker in workers._workers]


def until_told(workers: Workers) -> str:
    told: list[str] = []

    def look() -> bool:
        told.extend(workers.watch())
        return bool(told)

    wait_until(look)
    return told[0]


def test_a_worker_that_can_train_nothing_tries_again_and_then_is_reported_with_its_last_words(
    folder: StudyFolder, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdkd.sweep.workers.pool._SECONDS_BEFORE_RESTARTS", (0.0,))
    (bench.fake / "broken").write_text("no GPU is left")
    queue_one_cell(folder)
    workers = Workers(folder, "sqlite:///mlflow.db", FAKE, Places(2))
    workers.start(1)
    words = (
        "worker 0 ended by itself (exit status 1): cdkd: this process can train nothing: RuntimeError: no GPU is left"
    )
    assert until_told(workers) == f"{words}; next try in 0 s"
    with pytest.raises(CdkdError, match=rf"^no worker can run. {re.escape(words)}; .*worker-\d+-0\.log ends:"):
        until_told(workers)
    workers.stop()
    assert TrialQueue(folder).latest()["a"].status == "waiting"


def test_one_worker_that_is_given_up_does_not_end_the_others(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdkd.sweep.workers.pool._SECONDS_BEFORE_RESTARTS", ())
    monkeypatch.setattr("cdkd.sweep.workers.pool.command_of", lambda *_: ["/bin/cat"])
    workers = Workers(folder, "unused", FAKE, Places(2))
    workers.start(2)
    # A program that reads until its input ends, and then ends well, though nobody has asked it to.
    first = workers._workers[0].process.stdin
    assert first is not None
    first.close()
    told = until_told(workers)
    assert told.startswith("worker 0 ended by itself (exit status 0): it has printed nothing; given up")
    workers.start(2)
    assert len(workers) == 1 and workers.watch() == []
    workers.stop()


def test_killed_workers_are_replaced_but_not_for_ever(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    # A stand-in that sleeps starts at once; what is tested is the watching.
    monkeypatch.setattr("cdkd.sweep.workers.pool.command_of", lambda *_: ["/bin/sleep", "60"])
    workers = Workers(folder, "unused", FAKE, Places(2))
    workers.start(2)
    assert workers.watch() == []
    for _ in range(10):
        first, second = ids(workers)
        os.kill(second, signal.SIGKILL)
        wait_until(lambda: workers._workers[1].process.poll() is not None)
        assert workers.watch() == ["worker 1 was killed by signal 9; started another"]
        assert ids(workers)[0] == first and ids(workers)[1] != second
    os.kill(ids(workers)[1], signal.SIGKILL)
    wait_until(lambda: workers._workers[1].process.poll() is not None)
    with pytest.raises(CdkdError, match=r"killed again and again \(signal 9\); is memory short\?"):
        workers.watch()
    workers.note_success()
    assert workers.watch() == ["worker 1 was killed by signal 9; started another"]
    # Nor does it count where workers come to train before they are killed, however often.
    monkeypatch.setattr("cdkd.sweep.workers.pool._SECONDS_OF_A_USEFUL_LIFE", 0.0)
    for _ in range(11):
        os.kill(ids(workers)[1], signal.SIGKILL)
        wait_until(lambda: workers._workers[1].process.poll() is not None)
        assert workers.watch() == ["worker 1 was killed by signal 9; started another"]
    workers.stop()
    assert len(workers) == 0


def test_a_process_that_was_started_early_is_the_first_worker_or_none(folder: StudyFolder, bench: Bench) -> None:
    workers = Workers(folder, "sqlite:///mlflow.db", FAKE, Places(2))
    workers.start_early()
    early = workers._early
    assert early is not None and len(workers) == 0
    queue_one_cell(folder)
    workers.start(1)
    assert ids(workers) == [early.pid]
    wait_until(lambda: TrialQueue(folder).latest()["a"].status not in ("waiting", "running"))
    workers.start_early()
    unneeded = workers._early
    assert unneeded is not None
    workers.stop()
    assert unneeded.returncode == -signal.SIGKILL and early.returncode is not None


def test_workers_drain_and_leave_no_empty_logs(folder: StudyFolder) -> None:
    workers = Workers(folder, "sqlite:///mlflow.db", FAKE, Places(2))
    workers.start(1)
    workers.drain()
    wait_until(workers.has_ended)
    assert workers._workers[0].process.returncode == 0
    assert workers.watch() == []
    workers.stop()
    assert list((folder.path / "logs").iterdir()) == []


def test_a_stopped_worker_is_told_of_and_then_replaced(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    # A stand-in that gives a sign ten times a second; what is tested is the watching.
    beats = "mkdir -p beats; while true; do touch beats/$$; sleep 0.1; done"
    monkeypatch.setattr(
        "cdkd.sweep.workers.pool.command_of", lambda *_: ["/bin/sh", "-c", f"cd {folder.path}; {beats}"]
    )
    monkeypatch.setattr("cdkd.sweep.workers.pool._SECONDS_UNTIL_TOLD", 2.0)
    workers = Workers(folder, "unused", FAKE, Places(2))
    workers.start(1)
    (first,) = ids(workers)
    wait_until(folder.beat(first).exists)
    assert workers.watch() == []
    os.kill(first, signal.SIGSTOP)
    assert re.fullmatch(
        rf"worker 0 \(process {first}\) has not moved for \d s; was it stopped\? .*", until_told(workers)
    )
    os.kill(first, signal.SIGCONT)
    assert until_told(workers) == f"worker 0 (process {first}) moves again"
    os.kill(first, signal.SIGSTOP)
    monkeypatch.setattr("cdkd.sweep.workers.pool._SECONDS_UNTIL_KILLED", 1.0)
    assert re.fullmatch(rf"worker 0 \(process {first}\) has not moved for \d s; killed", until_told(workers))
    assert until_told(workers) == "worker 0 was killed by signal 9; started another"
    assert ids(workers) != [first]
    workers.stop()
