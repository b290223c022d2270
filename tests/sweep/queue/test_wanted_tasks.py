"""What a sweep wants: its own tasks, whatever else waits in the queue."""

from pathlib import Path

from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, TrialQueue
from cdkd.sweep.queue.wanted_tasks import WantedTasks, is_any_sweep_alive, wanted_by

A, B, C = (QueuedTask(name, "cell", "stage") for name in "abc")


def test_nothing_but_what_is_wanted_is_claimed(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    queue = TrialQueue(folder)
    queue.enqueue([A, B])
    wanted = WantedTasks(folder)
    wanted.set(["b"])
    claim = queue.claim(wanted_by(folder, wanted.name))
    assert claim is not None and claim.trial.task.id == "b"
    assert queue.claim(wanted_by(folder, wanted.name)) is None
    # A later stage's tasks become wanted while workers are at it.
    is_wanted = wanted_by(folder, wanted.name)
    assert not is_wanted(A)
    wanted.set(["a", "b"])
    assert is_wanted(A)
    claim.lock.release()


def test_a_worker_of_no_sweep_takes_what_any_living_one_wants_or_the_last_one_did(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    any_of_them = wanted_by(folder, None)
    assert any_of_them(A)
    first, second = WantedTasks(folder), WantedTasks(folder)
    first.set(["a"])
    second.set(["b"])
    assert [any_of_them(task) for task in (A, B, C)] == [True, True, False]
    assert is_any_sweep_alive(folder, besides=first.name)
    first.close()
    assert not is_any_sweep_alive(folder, besides=second.name)
    second.close()
    assert [any_of_them(task) for task in (A, B, C)] == [True, True, False]
    third = WantedTasks(folder)
    third.set(["c"])
    assert [any_of_them(task) for task in (A, B, C)] == [False, False, True]
    third.close()
