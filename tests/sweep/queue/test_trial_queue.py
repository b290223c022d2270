"""The queue: enqueued once, claimed once, settled once."""

import threading
from pathlib import Path

import optuna
import pytest

from cdkd.errors import CdkdError
from cdkd.sweep.queue.storage import open_journal, optuna_study_name
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, TrialQueue, is_blocked


@pytest.fixture
def queue(tmp_path: Path) -> TrialQueue:
    return TrialQueue(StudyFolder(tmp_path))


def cell(name: str, needs: str | None = None) -> QueuedTask:
    return QueuedTask(name, "cell", "stage", {"axis": name}, needs)


def state_of(queue: TrialQueue, task: str) -> str:
    return queue.latest()[task].status


def fail_next(queue: TrialQueue) -> None:
    claim = queue.claim()
    assert claim is not None
    queue.fail(claim.trial.number, "broken")
    claim.lock.release()


def test_a_task_goes_from_waiting_to_finished(queue: TrialQueue) -> None:
    assert queue.enqueue([cell("a"), cell("b")]) == [cell("a"), cell("b")]
    assert queue.enqueue([cell("b"), cell("c")]) == [cell("c")]
    claim = queue.claim()
    assert claim is not None and claim.trial.task == cell("a")
    assert [state_of(queue, name) for name in "abc"] == ["running", "waiting", "waiting"]
    queue.note(claim.trial.number, run_id="r", metrics={"test/top1": 61.5})
    queue.finish(claim.trial.number, 61.5)
    claim.lock.release()
    trial = TrialQueue(queue.folder).latest()["a"]
    assert (trial.status, trial.run_id, trial.metrics, trial.attempt) == ("finished", "r", {"test/top1": 61.5}, 1)
    assert queue.enqueue([cell("a")]) == []
    assert queue.enqueue([cell("a")], again=["a"]) == [cell("a")]
    assert queue.latest()["a"].attempt == 2


def test_a_failed_task_comes_back_only_on_request(queue: TrialQueue) -> None:
    queue.enqueue([cell("a")])
    fail_next(queue)
    trial = queue.latest()["a"]
    assert (trial.status, trial.error) == ("failed", "broken")
    assert queue.enqueue([cell("a")]) == []
    assert queue.enqueue([cell("a")], retry_failed=True) == [cell("a")]
    assert queue.enqueue([cell("a")], retry_failed=True) == []


def test_a_task_waits_for_what_it_needs(queue: TrialQueue) -> None:
    teacher = QueuedTask("t", "teacher", "teachers")
    queue.enqueue([cell("a", "t"), cell("b", "elsewhere"), teacher])
    claims = [queue.claim(), queue.claim()]
    assert [claim.trial.task.id for claim in claims if claim] == ["b", "t"]
    assert queue.claim() is None
    assert not is_blocked(cell("a", "t"), queue.latest())
    assert claims[1] is not None
    queue.fail(claims[1].trial.number, "x")
    assert queue.claim() is None
    assert is_blocked(cell("a", "t"), queue.latest())
    queue.enqueue([teacher], retry_failed=True)
    retried = queue.claim()
    assert retried is not None and retried.trial.task.id == "t"
    queue.finish(retried.trial.number, 0.0)
    last = queue.claim()
    assert last is not None and last.trial.task.id == "a"


def test_many_claimants_get_each_task_once(queue: TrialQueue) -> None:
    names = [f"task{number}" for number in range(40)]
    queue.enqueue([cell(name) for name in names])
    claimed: list[str] = []

    def work() -> None:
        own = TrialQueue(queue.folder)
        while (claim := own.claim()) is not None:
            claimed.append(claim.trial.task.id)
            own.finish(claim.trial.number, 1.0)
            claim.lock.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(names)
    assert {trial.status for trial in queue.trials()} == {"finished"}


def test_a_trial_that_somebody_else_put_there_is_refused(queue: TrialQueue) -> None:
    study = optuna.create_study(study_name="foreign", storage=open_journal(queue.folder.journal))
    study.enqueue_trial({"x": 1})
    with pytest.raises(CdkdError, match=r"journal\.log: trial 0 has no task; what is kept there is cdkd's own"):
        queue.claim()


def test_a_value_that_is_no_number_does_not_reach_optuna(queue: TrialQueue) -> None:
    queue.enqueue([cell("a")])
    claim = queue.claim()
    assert claim is not None
    queue.finish(claim.trial.number, float("nan"))
    name = optuna_study_name(queue.folder.path.name, "stage")
    study = optuna.load_study(study_name=name, storage=open_journal(queue.folder.journal))
    assert study.best_value == 0.0


def test_a_journal_of_an_earlier_version_stays_readable(queue: TrialQueue) -> None:
    """Earlier versions noted `ending` and `is_lost`, and called the stage's digest `plan`."""
    study = optuna.create_study(study_name="cdkd", storage=open_journal(queue.folder.journal), direction="maximize")
    for noted in ({"ending": "diverged"}, {"is_lost": True}):
        task = {"id": str(noted), "kind": "cell", "stage": "s", "labels": {}, "needs": None, "plan": "d1"}
        state = optuna.trial.TrialState.COMPLETE if "ending" in noted else optuna.trial.TrialState.FAIL
        value = 1.0 if "ending" in noted else None
        study.add_trial(optuna.trial.create_trial(state=state, value=value, user_attrs={"task": task, **noted}))
    assert [(trial.status, trial.task.stage_digest) for trial in queue.trials()] == [
        ("diverged", "d1"),
        ("stale", "d1"),
    ]
