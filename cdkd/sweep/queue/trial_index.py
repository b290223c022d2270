"""Trials by task and by what they wait for, kept up to date one changed trial at a time.

A claim asks for the first waiting trial, a sweep twice a second for the last trial of every task. Going through ten
thousand trials for each answer costs 0.1 s; an index costs what has changed.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from heapq import merge
from typing import Any

from cdkd.sweep.queue.queue_storage import StoredTrial


class TrialIndex:
    """The trials of a study as last seen."""

    def __init__(self) -> None:
        self.trials: dict[int, StoredTrial] = {}
        """By number, in the order in which they were enqueued."""
        self.attempts: dict[int, int] = {}
        """Trial's number -> which attempt at its task it is, from 1."""
        self.last: dict[str, int] = {}
        """Task id -> number of its last trial."""
        self.running: dict[int, None] = {}
        """Numbers of trials that are running, or whose process died. A dict for its order, as below."""
        self._counts: Counter[str] = Counter()
        self._waiting: dict[str | None, dict[int, None]] = {}
        """What a trial needs -> numbers of those that wait for it."""

    def update(self, trial: StoredTrial, task: dict[str, Any]) -> None:
        """Takes in a trial that is new or has changed; new ones come in the order of their numbers.

        Args:
            task: the trial's, as its attributes have it.
        """
        number, name = trial.number, task["id"]
        if number not in self.trials:
            # An attempt's number is not stored but counted, so that no two processes have to agree on it.
            self._counts[name] += 1
            self.attempts[number] = self._counts[name]
            self.last[name] = number
        self.trials[number] = trial
        _keep(self._waiting.setdefault(task.get("needs"), {}), number, trial.state == "WAITING")
        _keep(self.running, number, trial.state == "RUNNING")

    def needs(self) -> list[str]:
        """Ids of the tasks that waiting trials need."""
        return [need for need, numbers in self._waiting.items() if need is not None and numbers]

    def waiting(self, blocked: Collection[str]) -> Iterator[int]:
        """Numbers of the waiting trials that need none of the blocked tasks, the first enqueued first."""
        return merge(*(numbers for need, numbers in self._waiting.items() if need not in blocked))

    def attempts_at(self, task: str) -> Iterable[StoredTrial]:
        """Every trial of a task, the first first."""
        return (trial for trial in self.trials.values() if trial.attributes["task"]["id"] == task)


def _keep(numbers: dict[int, None], number: int, is_member: bool) -> None:
    if is_member:
        numbers[number] = None
    else:
        numbers.pop(number, None)
