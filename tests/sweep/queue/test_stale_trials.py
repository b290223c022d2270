"""Trials whose process died: settled once, enqueued again once."""

from pathlib import Path

import pytest

from cdkd.sweep.queue.stale_trials import settle
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, Trial, TrialQueue


@pytest.fixture
def queue(tmp_path: Path) -> TrialQueue:
    return TrialQueue(StudyFolder(tmp_path))


def cell(name: str) -> QueuedTask:
    return QueuedTask(name, "cell", "stage", {"axis": name})


def lose_next(queue: TrialQueue, is_interrupted: bool = False) -> Trial:
    """Claims a trial and lets go of it, as a dying process does."""
    claim = queue.claim()
    assert claim is not None
    if is_interrupted:
        queue.note(claim.trial.number, is_interrupted=True)
    claim.lock.release()
    return next(trial for trial in queue.trials() if trial.number == claim.trial.number)


def test_a_stale_trial_is_enqueued_again_once(queue: TrialQueue) -> None:
    queue.enqueue([cell("a")])
    stale = lose_next(queue)
    assert stale.status == "stale"
    # Before stale-trial recovery has settled it, enqueueing must not add a second attempt.
    assert queue.enqueue([cell("a")]) == []
    assert settle(queue, stale, is_complete=False) == "stale"
    assert settle(queue, stale, is_complete=False) is None
    assert [trial.status for trial in queue.trials()] == ["stale", "waiting"]
    assert queue.latest()["a"].attempt == 2


def test_a_stale_trial_whose_result_was_recorded_is_finished(queue: TrialQueue) -> None:
    queue.enqueue([cell("a")])
    claim = queue.claim()
    assert claim is not None
    queue.note(claim.trial.number, status="diverged", value=12.5, metrics={"loss": 3.0})
    claim.lock.release()
    (stale,) = queue.trials()
    assert settle(queue, stale, is_complete=True) == "diverged"
    assert [trial.status for trial in queue.trials()] == ["diverged"]


def test_a_running_trial_cannot_be_settled(queue: TrialQueue) -> None:
    queue.enqueue([cell("a")])
    claim = queue.claim()
    assert claim is not None
    assert settle(queue, claim.trial, is_complete=False) is None
    assert queue.latest()["a"].status == "running"


def test_three_unexplained_deaths_are_a_failure_and_interruptions_none(queue: TrialQueue) -> None:
    queue.enqueue([cell("a")])
    for _ in range(5):
        assert settle(queue, lose_next(queue, is_interrupted=True), is_complete=False) == "stale"
    statuses = [settle(queue, lose_next(queue), is_complete=False) for _ in range(3)]
    assert statuses == ["stale", "stale", "failed"]
    trial = queue.latest()["a"]
    assert (trial.status, trial.error) == ("failed", "3 worker processes died over it (out of memory?)")
    # Somebody who asks for it again gets as many attempts anew.
    queue.enqueue([cell("a")], retry_failed=True)
    assert settle(queue, lose_next(queue), is_complete=False) == "stale"
