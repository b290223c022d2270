"""An attempt whose process stood still until others took its cell: whatever it does then, the cell has one result."""

import errno
import os
from collections.abc import Callable, Mapping

import pytest
from support import fake_runner
from support.postgres import PostgresServer
from support.sweeps import GRID, Bench, wait_until

from cdkd.experiment.identity import cell_identity
from cdkd.run_status import RunStatus
from cdkd.sweep.queue.cell_configuration import configurations_of
from cdkd.sweep.queue.journal_storage import JournalFile
from cdkd.sweep.queue.stale_trials import recover
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import Claim, QueuedTask, TrialQueue
from cdkd.sweep.study.expansion import expand
from cdkd.sweep.study.reading import load_study
from cdkd.sweep.workers.abandoned_runs import close_abandoned_runs
from cdkd.sweep.workers.attempt import queue_name, run_claim
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.runs import load_runs
from cdkd.tracking.store import tracking_uri


class HaltingTracker(MlflowTracker):
    """Lets something happen in the middle of a worker's last writes, which take no time to the worker itself."""

    before_metadata: Callable[[], None] = staticmethod(lambda: None)
    before_end: Callable[[], None] = staticmethod(lambda: None)

    def keep_metadata(self, run_id: str, metadata: Mapping[str, str]) -> None:
        self.before_metadata()
        super().keep_metadata(run_id, metadata)

    def close(self, run_id: str, status: RunStatus, error: str = "") -> None:
        if status == "finished":
            self.before_end()
        super().close(run_id, status, error)


class Machines:
    """Two machines with a folder of their own each; the first has claimed the only cell."""

    def __init__(self, bench: Bench, postgres: PostgresServer) -> None:
        self.root = bench.folder
        self.address = postgres.address(postgres.new_database(), heartbeat=0.2, grace=1)
        self.tracker = HaltingTracker(tracking_uri(), "grid", bench.folder)
        self.tracker.prepare(["rows"])
        self.here, self.there = self.queue("here"), self.queue("there")
        enqueue_first(self.here, bench)
        claim = self.here.claim()
        assert claim is not None
        self.claim: Claim = claim

    def queue(self, name: str) -> TrialQueue:
        folder = StudyFolder(self.root / name / ".cdkd" / "grid")
        folder.use_storage(self.address)
        return TrialQueue(folder)

    def run_here(self) -> None:
        assert run_claim(self.here, self.claim, self.tracker, fake_runner.RUNNER) is None

    def run_there(self) -> None:
        """The second machine, once the first one's heart has stopped."""
        self.claim.lock.release()
        queue = self.queue("there")
        tracker = MlflowTracker(tracking_uri(), "grid", self.root)
        wait_until(lambda: queue.trials()[0].status == "stale", 20)
        assert [status for _, status in recover(queue, tracker)] == ["stale"]
        claim = queue.claim()
        assert claim is not None
        assert run_claim(queue, claim, tracker, fake_runner.RUNNER) is None


@pytest.fixture
def machines(bench: Bench, postgres: PostgresServer) -> Machines:
    return Machines(bench, postgres)


def test_a_worker_that_comes_back_when_its_cell_is_done_elsewhere_leaves_no_second_result(machines: Machines) -> None:
    # It stands still in the last moment before its trial is completed: the files are kept, the metrics logged.
    machines.tracker.before_metadata = machines.run_there
    machines.run_here()
    assert [(trial.status, trial.attempt) for trial in machines.there.trials()] == [("stale", 1), ("finished", 2)]
    runs = load_runs()
    assert sorted(zip(runs.attempt, runs.status, strict=True)) == [(1, "killed"), (2, "finished")]
    assert machines.there.latest().popitem()[1].run_id == runs[runs.status == "finished"].run_id.item()


def test_a_worker_that_is_gone_before_its_run_is_closed_has_its_result_all_the_same(machines: Machines) -> None:
    settled: list[object] = []

    def look() -> None:
        machines.claim.lock.release()
        queue = machines.queue("there")
        tracker = MlflowTracker(tracking_uri(), "grid", machines.root)
        settled.append((recover(queue, tracker), close_abandoned_runs(queue, tracker, queue_name(queue))))
        settled.append(list(load_runs().status))

    machines.tracker.before_end = look
    machines.run_here()
    # Any machine may close it, as what the trial says.
    assert settled == [([], 1), ["finished"]]
    runs = load_runs()
    assert list(runs.status) == ["finished"] and runs["metadata.dataset"].item() == "fake"
    assert not machines.here.folder.work(runs.cell.item()).exists()


def test_a_failure_of_a_worker_that_has_lost_its_cell_is_nobodys(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        machines.run_there()
        raise RuntimeError("too late")

    monkeypatch.setattr("cdkd.sweep.workers.attempt._train", _once(fail))
    machines.run_here()
    assert [trial.status for trial in machines.there.trials()] == ["stale", "finished"]
    assert sorted(load_runs().status) == ["finished", "killed"]


def _once(fail: Callable[..., None]) -> Callable[..., object]:
    """The first training fails; the others are what they were."""
    from cdkd.sweep.workers import attempt

    train, calls = attempt._train, []

    def run(*arguments: object) -> object:
        calls.append(1)
        return fail() if len(calls) == 1 else train(*arguments)  # type: ignore[arg-type]

    return run


def test_a_result_for_which_the_disk_has_no_room_is_no_result(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = HaltingTracker(tracking_uri(), "grid", bench.folder)
    tracker.prepare(["rows"])
    queue, append, is_full = bench.queue(), JournalFile._append, False
    enqueue_first(queue, bench)

    def full() -> None:
        nonlocal is_full
        is_full = True

    def write(file: JournalFile, text: bytes) -> None:
        # Room for all lines of the result but the one that settles the trial, and for none after that.
        if not is_full:
            return append(file, text)
        if b'"metrics"' in text:
            append(file, b"".join(text.splitlines(keepends=True)[:-1]))
        file.is_ahead = True
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    tracker.before_metadata = full
    monkeypatch.setattr(JournalFile, "_append", write)
    claim = queue.claim()
    assert claim is not None
    assert "No space left" in str(run_claim(queue, claim, tracker, fake_runner.RUNNER))
    is_full, tracker.before_metadata = False, lambda: None
    other = bench.queue()
    assert [status for _, status in recover(other, tracker)] == ["stale"]
    assert list(load_runs().status) == ["killed"]
    again = other.claim()
    assert again is not None and run_claim(other, again, tracker, fake_runner.RUNNER) is None
    assert [trial.status for trial in queue.trials()] == ["stale", "finished"]
    assert sorted(load_runs().status) == ["finished", "killed"]


def enqueue_first(queue: TrialQueue, bench: Bench) -> None:
    """The first cell of the grid."""
    study = load_study(bench.write(GRID))
    cell = expand(study, study.stages[0])[0]
    (configuration,) = configurations_of([cell])
    queue.enqueue([QueuedTask(cell_identity(cell.config), "cell", "rows", cell.labels, configuration=configuration)])


def test_queues_of_one_database_have_one_name_and_folders_their_own(machines: Machines, bench: Bench) -> None:
    assert queue_name(machines.here) == queue_name(machines.there) != queue_name(bench.queue())
    assert queue_name(bench.queue()).endswith(":" + str(bench.folder / ".cdkd/grid"))
