"""Worker processes that end otherwise than they should."""

import os
import signal

import pytest
from support.sweeps import FAKE, Bench, wait_until

from cdkd.capacity import gpu_names
from cdkd.errors import CdkdError
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import TrialQueue
from cdkd.sweep.workers.pool import Workers


@pytest.fixture
def folder(bench: Bench) -> StudyFolder:
    made = StudyFolder(bench.folder / ".cdkd/mine")
    TrialQueue(made)
    return made


def ids(workers: Workers) -> list[int]:
    return [worker.process.pid for worker in workers._workers]


def test_a_worker_that_cannot_start_is_reported_with_its_last_words(bench: Bench) -> None:
    folder = StudyFolder(bench.folder / "broken")
    folder.path.mkdir()
    folder.journal.write_text("this is\nno journal\n")
    workers = Workers(folder, "sqlite:///mlflow.db", FAKE)
    workers.start(1)
    wait_until(workers.has_ended)
    words = r"worker 0 ended by itself \(exit status 1\); .*worker-\d+-0\.log ends:"
    with pytest.raises(CdkdError, match=words) as caught:
        workers.watch()
    assert "JSONDecodeError" in str(caught.value)
    workers.stop()


def test_killed_workers_are_replaced_but_not_for_ever(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    # A stand-in that sleeps starts at once; what is tested is the watching.
    monkeypatch.setattr("cdkd.sweep.workers.pool.command_of", lambda *_: ["/bin/sleep", "60"])
    workers = Workers(folder, "unused", FAKE)
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
    workers.stop()
    assert len(workers) == 0


def test_workers_drain_and_leave_no_empty_logs(folder: StudyFolder) -> None:
    workers = Workers(folder, "sqlite:///mlflow.db", FAKE)
    workers.start(1)
    workers.drain()
    wait_until(workers.has_ended)
    assert workers._workers[0].process.returncode == 0
    assert workers.watch() == []
    workers.stop()
    assert list((folder.path / "logs").iterdir()) == []


def test_workers_get_one_gpu_each_in_turn(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert gpu_names() == ("4", "6")
    workers = Workers(folder, "unused", FAKE, num_threads=3)
    environments = [workers.environment_of(str(number)) for number in range(3)]
    assert [found["CUDA_VISIBLE_DEVICES"] for found in environments] == ["4", "6", "4"]
    assert {found["OMP_NUM_THREADS"] for found in environments} == {"3"}
