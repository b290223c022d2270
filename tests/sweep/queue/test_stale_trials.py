"""Trials whose process died: settled once, enqueued again once."""

import json
from pathlib import Path

import pytest

from cdkd.atomic_write import atomic_write
from cdkd.sweep.queue.stale_trials import put_back, settle
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, Trial, TrialQueue


@pytest.fixture
def queue(tmp_path: Path) -> TrialQueue:
    return TrialQueue(StudyFolder(tmp_path))


def cell(name: str) -> QueuedTask:
    return QueuedTask(name, "cell", "stage", {"axis": name})


def lose_next(queue: TrialQueue, is_interrupted: bool = False, began: float | None = 0.1) -> Trial:
    """Claims a trial and lets go of it, as a dying process does."""
    claim = queue.claim()
    assert claim is not None
    if began is not None:
        atomic_write(queue.folder.progress(claim.trial.number), json.dumps({"fraction": 0.9, "began": began}))
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
    queue.note(claim.trial.number, status="diverged", value=12.5, metrics={"train/loss": 3.0})
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
    assert queue.folder.traceback("a", trial.number).read_text().startswith("3 worker processes died over it")
    # Somebody who asks for it again gets as many attempts anew.
    queue.enqueue([cell("a")], retry_failed=True)
    assert settle(queue, lose_next(queue), is_complete=False) == "stale"


def test_deaths_before_the_first_step_do_not_count_as_others_do(queue: TrialQueue) -> None:
    queue.enqueue([cell("a")])
    statuses = [settle(queue, lose_next(queue, began=None), is_complete=False) for _ in range(9)]
    assert set(statuses) == {"stale"}
    assert settle(queue, lose_next(queue, began=None), is_complete=False) == "failed"
    assert queue.latest()["a"].error == "10 worker processes died before its first step (out of memory?)"


def test_progress_from_checkpoint_to_checkpoint_resets_the_count(queue: TrialQueue) -> None:
    queue.enqueue([cell("a")])
    for began in (0.1, 0.1, 0.3, None, 0.3, 0.5, 0.5):
        assert settle(queue, lose_next(queue, began=began), is_complete=False) == "stale"
    assert settle(queue, lose_next(queue, began=0.5), is_complete=False) == "failed"


def test_what_is_put_back_waits_again_and_has_not_died(queue: TrialQueue) -> None:
    queue.enqueue([cell("a")])
    for _ in range(5):
        claim = queue.claim()
        assert claim is not None
        put_back(queue, claim.trial, "the tracking store is away")
        claim.lock.release()
    assert [trial.status for trial in queue.trials()] == ["stale"] * 5 + ["waiting"]
    assert settle(queue, lose_next(queue), is_complete=False) == "stale"
