"""Failed tasks go on the queue again, each behind the teacher that it needs."""

from collections.abc import Mapping, Sequence

from cdkd.sweep.queue.trial_queue import Trial, TrialQueue


def failed_tasks(latest: Mapping[str, Trial]) -> list[str]:
    """Ids of the tasks whose last attempt failed."""
    return [task for task, trial in latest.items() if trial.status == "failed"]


def enqueue_failed(queue: TrialQueue, tasks: Sequence[str]) -> list[Trial]:
    """Gives failed tasks another attempt, and before them the failed teachers that they need.

    Returns:
        The attempts that failed, of those tasks that wait now; what another process was faster with is left out.
    """

    def enqueue() -> list[Trial]:
        latest = queue.latest()
        needs = [latest[task].task.needs for task in tasks if task in latest]
        wanted = dict.fromkeys([*(need for need in needs if need is not None), *tasks])
        found = [latest[task] for task in wanted if task in latest and latest[task].status == "failed"]
        for trial in found:
            queue.enqueue_again(trial)
        return found

    return queue.exclusive(enqueue)
