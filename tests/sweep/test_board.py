"""The board: put up once, claimed once, settled once."""

import threading
from pathlib import Path

import optuna
import pytest

from cdkd.errors import CdkdError
from cdkd.sweep.board import Board, Task, Trial, is_blocked
from cdkd.sweep.folder import StudyFolder
from cdkd.sweep.journal import open_journal


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(StudyFolder(tmp_path))


def cell(name: str, needs: str | None = None) -> Task:
    return Task(name, "cell", "stage", {"axis": name}, needs)


def state_of(board: Board, task: str) -> str:
    return board.latest()[task].state


def fail_next(board: Board) -> None:
    claim = board.claim()
    assert claim is not None
    board.fail(claim.trial.number, "broken")
    claim.lease.release()


def lose_next(board: Board, is_interrupted: bool = False) -> Trial:
    """Claims a trial and lets go of it, as a dying process does."""
    claim = board.claim()
    assert claim is not None
    if is_interrupted:
        board.note(claim.trial.number, is_interrupted=True)
    claim.lease.release()
    return next(trial for trial in board.trials() if trial.number == claim.trial.number)


def test_a_task_goes_from_waiting_to_finished(board: Board) -> None:
    assert board.put_up([cell("a"), cell("b")]) == [cell("a"), cell("b")]
    assert board.put_up([cell("b"), cell("c")]) == [cell("c")]
    claim = board.claim()
    assert claim is not None and claim.trial.task == cell("a")
    assert [state_of(board, name) for name in "abc"] == ["running", "waiting", "waiting"]
    board.note(claim.trial.number, run_id="r", metrics={"test_top1": 61.5})
    board.finish(claim.trial.number, 61.5)
    claim.lease.release()
    trial = Board(board.folder).latest()["a"]
    assert (trial.state, trial.run_id, trial.metrics, trial.attempt) == ("finished", "r", {"test_top1": 61.5}, 1)
    assert board.put_up([cell("a")]) == []
    assert board.put_up([cell("a")], again=["a"]) == [cell("a")]
    assert board.latest()["a"].attempt == 2


def test_a_failed_task_comes_back_only_on_request(board: Board) -> None:
    board.put_up([cell("a")])
    fail_next(board)
    trial = board.latest()["a"]
    assert (trial.state, trial.error) == ("failed", "broken")
    assert board.put_up([cell("a")]) == []
    assert board.put_up([cell("a")], retry_failed=True) == [cell("a")]
    assert board.put_up([cell("a")], retry_failed=True) == []


def test_a_task_waits_for_what_it_needs(board: Board) -> None:
    teacher = Task("t", "teacher", "teachers")
    board.put_up([cell("a", "t"), cell("b", "elsewhere"), teacher])
    claims = [board.claim(), board.claim()]
    assert [claim.trial.task.id for claim in claims if claim] == ["b", "t"]
    assert board.claim() is None
    assert not is_blocked(cell("a", "t"), board.latest())
    assert claims[1] is not None
    board.fail(claims[1].trial.number, "x")
    assert board.claim() is None
    assert is_blocked(cell("a", "t"), board.latest())
    board.put_up([teacher], retry_failed=True)
    retried = board.claim()
    assert retried is not None and retried.trial.task.id == "t"
    board.finish(retried.trial.number, 0.0)
    last = board.claim()
    assert last is not None and last.trial.task.id == "a"


def test_a_lost_trial_is_put_up_again_once(board: Board) -> None:
    board.put_up([cell("a")])
    lost = lose_next(board)
    assert lost.state == "lost"
    # Before the reaper has settled it, putting up must not add a second attempt.
    assert board.put_up([cell("a")]) == []
    assert board.bury(lost, is_complete=False) == "lost"
    assert board.bury(lost, is_complete=False) is None
    assert [trial.state for trial in board.trials()] == ["lost", "waiting"]
    assert board.latest()["a"].attempt == 2


def test_a_lost_trial_whose_result_was_recorded_is_finished(board: Board) -> None:
    board.put_up([cell("a")])
    claim = board.claim()
    assert claim is not None
    board.note(claim.trial.number, ending="diverged", value=12.5, metrics={"loss": 3.0})
    claim.lease.release()
    (lost,) = board.trials()
    assert board.bury(lost, is_complete=True) == "finished"
    assert [trial.state for trial in board.trials()] == ["diverged"]


def test_a_running_trial_cannot_be_buried(board: Board) -> None:
    board.put_up([cell("a")])
    claim = board.claim()
    assert claim is not None
    assert board.bury(claim.trial, is_complete=False) is None
    assert state_of(board, "a") == "running"


def test_three_unexplained_deaths_are_a_failure_and_interruptions_none(board: Board) -> None:
    board.put_up([cell("a")])
    for _ in range(5):
        assert board.bury(lose_next(board, is_interrupted=True), is_complete=False) == "lost"
    fates = [board.bury(lose_next(board), is_complete=False) for _ in range(3)]
    assert fates == ["lost", "lost", "failed"]
    trial = board.latest()["a"]
    assert (trial.state, trial.error) == ("failed", "3 worker processes died over it (out of memory?)")
    # Somebody who asks for it again gets as many attempts anew.
    board.put_up([cell("a")], retry_failed=True)
    assert board.bury(lose_next(board), is_complete=False) == "lost"


def test_many_claimants_get_each_task_once(board: Board) -> None:
    names = [f"task{number}" for number in range(40)]
    board.put_up([cell(name) for name in names])
    claimed: list[str] = []

    def work() -> None:
        own = Board(board.folder)
        while (claim := own.claim()) is not None:
            claimed.append(claim.trial.task.id)
            own.finish(claim.trial.number, 1.0)
            claim.lease.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(names)
    assert {trial.state for trial in board.trials()} == {"finished"}


def test_a_trial_that_somebody_else_put_there_is_refused(board: Board) -> None:
    study = optuna.load_study(study_name="cdkd", storage=open_journal(board.folder.journal))
    study.enqueue_trial({"x": 1})
    with pytest.raises(CdkdError, match=r"journal\.log: trial 0 has no task; this journal is cdkd's own"):
        board.claim()


def test_a_value_that_is_no_number_does_not_reach_optuna(board: Board) -> None:
    board.put_up([cell("a")])
    claim = board.claim()
    assert claim is not None
    board.finish(claim.trial.number, float("nan"))
    study = optuna.load_study(study_name="cdkd", storage=open_journal(board.folder.journal))
    assert study.best_value == 0.0
