"""A sweep's workers as jobs of a cluster: submitted, watched, replaced when they are lost, told to end, cancelled.

Jobs outlive a sweep that is killed: they end when nothing is left to do, and the same command typed again takes them
over (`JobGroup`). A sweep that is interrupted cancels them.
"""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from cdkd.errors import CdkdError
from cdkd.sweep.interruption import seconds_since_stop
from cdkd.sweep.queue.job_group import JobGroup, Order, job_groups
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.workers.cluster_jobs import Cluster, JobLook, JobState, Scheduler, SchedulerAway
from cdkd.sweep.workers.places import Places
from cdkd.sweep.workers.pool import command_of
from cdkd.sweep.workers.worker_job import WorkerJob

_SECONDS_BETWEEN_LOOKS = 5.0
"""A scheduler serves many."""
_SECONDS_TO_LEAVE, _SECONDS_TO_BE_CANCELLED = 20.0, 5.0
"""What jobs get to end by themselves when nothing is left to do, and once they are cancelled."""
_MAX_FAILURES = 3
"""Jobs whose worker ended by itself, without any task ending in between, until no more are submitted."""
_MAX_LOSSES = 10
"""The same of jobs that the scheduler ended."""
_HELD = ("JobHeld", "launch failed", "DependencyNeverSatisfied", "BadConstraints", "InvalidAccount", "InvalidQOS")
_NEVER = ("PartitionTimeLimit", "PartitionNodeLimit", "PartitionDown", "PartitionInactive", "ReqNodeNotAvail")
"""Reasons to wait for which somebody has to do something."""


class OrphanedJobs:
    """Jobs of a study whose sweeps were killed.

    Args:
        folder: the study's.
        scheduler: knows how they stand.
    """

    def __init__(self, folder: StudyFolder, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        groups = [group for group in job_groups(folder) if group.is_abandoned]
        self._jobs = {group: alive for group in groups if (alive := _alive(scheduler, group))}

    def left(self) -> list[str]:
        """Ids of those that have not ended."""
        looks = self._scheduler.look([job for jobs in self._jobs.values() for job in jobs])
        return [job for job, look in looks.items() if look.is_alive]

    def stop(self, is_immediate: bool) -> None:
        """Ends them behind their epochs; those that have not begun, or all of them, at once."""
        for group, jobs in self._jobs.items():
            group.give("stop")
            self._scheduler.cancel(jobs, only_waiting=not is_immediate)


def _alive(scheduler: Scheduler, group: JobGroup) -> list[str]:
    return [job for job, look in scheduler.look(group.jobs).items() if look.is_alive]


class JobWorkers:
    """See `Launcher`.

    Args:
        folder: the study's.
        tracking_uri: where its runs are tracked.
        runner: `module:name` of the object that trains the cells.
        places: what each worker gets.
        cluster: where jobs run.
        sweep: `WantedTasks.name` of the sweep.
        options: further ones of a worker's command line.
    """

    def __init__(
        self,
        folder: StudyFolder,
        tracking_uri: str,
        runner: str,
        places: Places,
        cluster: Cluster,
        sweep: str,
        options: Sequence[str] = (),
    ) -> None:
        self._folder = StudyFolder(folder.path.resolve())
        self._command = command_of(self._folder, tracking_uri, runner, options)
        self._environment = places.own_environment
        self._cluster = cluster
        self._group = JobGroup(self._folder.jobs / sweep)
        self._groups = [self._group]
        self._jobs: dict[str, JobGroup] = {}
        """Those that have not ended, and whose they are."""
        self._is_draining = False
        self._num_failures = self._num_losses = 0
        self._last_look = -_SECONDS_BETWEEN_LOOKS
        self._last_words = ""
        self._told_waiting = ""
        self._waiting: set[str] = set()
        """Those that had not begun at the last look."""
        self._locks = [self._group.lock]
        self._locks[0].acquire(wait=True)
        self._beat()
        self._news = self._take_over()

    def _take_over(self) -> list[str]:
        """Jobs of sweeps that were killed; returns what to tell of them."""
        for group in job_groups(self._folder):
            lock = group.lock
            if group.order or not lock.acquire():
                continue
            alive = _alive(self._cluster, group)
            if not alive:
                lock.release()
                continue
            self._locks.append(lock)
            self._groups.append(group)
            self._jobs |= dict.fromkeys(alive, group)
        taken = list(self._jobs)
        return [f"{_jobs(taken)} of an earlier sweep: taken over"] if taken else []

    def _beat(self) -> None:
        for group in self._groups:
            group.beat.touch()

    def __len__(self) -> int:
        return len(self._jobs)

    def start_early(self) -> None:
        """Nothing to gain."""

    def start(self, count: int) -> None:
        """See `Launcher`; what the cluster refuses is raised."""
        missing = count - len(self._jobs)
        if missing <= 0 or self._is_draining or self._num_failures >= _MAX_FAILURES:
            return
        log = str(self._folder.worker_log("%j"))
        job = WorkerJob(self._command, self._environment, self._group.path, log)
        submitted = self._cluster.submit(self._group.path, [job] * missing)
        # At once: a sweep that dies here leaves jobs that nobody knows of.
        self._group.record(submitted)
        self._jobs |= dict.fromkeys(submitted, self._group)
        self._news.append(f"submitted {_jobs(submitted)}")

    def watch(self) -> list[str]:
        """See `Launcher`."""
        self._beat()
        told, self._news = self._news, []
        if self._is_draining or time.monotonic() - self._last_look < _SECONDS_BETWEEN_LOOKS:
            return told
        try:
            found = self._look()
        except SchedulerAway as error:
            # Jobs go on meanwhile.
            news, self._last_words = str(error) != self._last_words, str(error)
            return [*told, f"waiting: {error}"] if news else told
        told += self._tell_waiting(found)
        for job in list(self._jobs):
            told += self._look_at(job, found.get(job))
        self._waiting = {job for job, look in found.items() if look.state == "waiting"}
        if not self._jobs and self._num_failures >= _MAX_FAILURES:
            raise CdkdError(f"no job can run. {self._last_words}")
        return told

    def _look(self) -> Mapping[str, JobLook]:
        found = self._cluster.look(list(self._jobs))
        self._last_look = time.monotonic()
        return found

    def _tell_waiting(self, found: Mapping[str, JobLook]) -> list[str]:
        """What jobs wait for, told when that changes."""
        reasons = Counter(look.reason for look in found.values() if look.state == "waiting" and look.reason)
        is_hopeless = any(reason.startswith((*_HELD, *_NEVER)) for reason in reasons)
        text = ", ".join(sorted(reasons))
        # Those that wait in turn are told of where nothing runs at all.
        if text == self._told_waiting or not (is_hopeless or all(look.state == "waiting" for look in found.values())):
            return []
        self._told_waiting = text
        num_waiting = sum(reasons.values())
        return [f"{num_waiting} of {len(self._jobs)} jobs wait in the cluster's queue: {text}"] if text else []

    def _look_at(self, job: str, look: JobLook | None) -> list[str]:
        if look is not None and look.is_alive:
            return []
        group = self._jobs[job]
        end = self._cluster.end_of(group.path, job)
        if look is None and end is None:
            # Slurm forgets one of an array at once that is cancelled before it has begun; others after some minutes.
            state: JobState = "cancelled" if job in self._waiting else "killed"
            look = JobLook(state, "no longer known to the cluster")
        del self._jobs[job]
        if look is not None and look.state == "cancelled":
            if not self._jobs:
                raise CdkdError("every job was cancelled; the same command goes on")
            return [f"job {job} was cancelled; it is not replaced"]
        if end is not None and end.code == 0:
            # Somebody else's sweep had nothing left for it.
            return []
        if (end is not None and end.code > 0) or (end is None and look is not None and look.word == "FAILED"):
            return [self._count_failure(job, end.words if end else "", end.code if end else None)]
        how = f"was killed by signal {-end.code}" if end is not None else f"ended early ({look.word if look else '?'})"
        return [self._count_loss(job, how)]

    def _count_failure(self, job: str, words: str, code: int | None) -> str:
        self._num_failures += 1
        status = "before its worker had begun" if code is None else f"by itself (exit status {code})"
        self._last_words = f"job {job} ended {status}{': ' + words if words else ''}; see {self._log(job)}"
        return self._last_words

    def _count_loss(self, job: str, how: str) -> str:
        self._num_losses += 1
        if self._num_losses > _MAX_LOSSES:
            raise CdkdError(f"jobs are lost again and again: job {job} {how}; see {self._log(job)}")
        return f"job {job} {how}; another is submitted"

    def _log(self, job: str) -> Path:
        """What its worker has printed, else what was printed before that began."""
        log = self._folder.worker_log(job)
        if log.exists() and log.stat().st_size:
            return _shown(log)
        return _shown(self._group.path / f"{job}_0_log.err")

    def note_success(self) -> None:
        """See `Launcher`."""
        self._num_failures = self._num_losses = 0

    def wait(self, seconds: float) -> None:
        """See `Launcher`."""
        time.sleep(seconds)

    def drain(self) -> None:
        """See `Launcher`."""
        self._give("drain")

    def stop_at_checkpoint(self) -> None:
        """See `Launcher`."""
        self._give("stop")

    def _give(self, order: Order) -> None:
        self._is_draining = True
        for group in self._groups:
            group.give(order)
        self._cluster.cancel(list(self._jobs), only_waiting=True)

    def has_ended(self) -> bool:
        """See `Launcher`."""
        try:
            found = self._cluster.look(list(self._jobs))
        except SchedulerAway:
            return False
        self._jobs = {job: self._jobs[job] for job, look in found.items() if look.is_alive}
        return not self._jobs

    def leave(self) -> None:
        """See `Launcher`; `stop` gives jobs the time."""

    def stop(self) -> None:
        """See `Launcher`; jobs that have nothing to do any more end by themselves, and count as completed."""
        self._give("stop")
        if seconds_since_stop() is None:
            self._wait_for_end(_SECONDS_TO_LEAVE)
        self._cluster.cancel(list(self._jobs))
        self._wait_for_end(_SECONDS_TO_BE_CANCELLED)
        for lock in self._locks:
            lock.release()
        self._jobs = {}

    def _wait_for_end(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.has_ended() and time.monotonic() < deadline:
            time.sleep(0.2)


def _jobs(ids: Sequence[str]) -> str:
    """Jobs by their ids, those of an array together."""
    arrays = Counter(job.partition("_")[0] for job in ids)
    names = ", ".join(array if number == 1 else f"{array} ({number})" for array, number in arrays.items())
    return f"{len(ids)} job{'s' * (len(ids) != 1)}: {names}"


def _shown(path: Path) -> Path:
    working = Path(os.getcwd())
    return path.relative_to(working) if path.is_relative_to(working) else path
