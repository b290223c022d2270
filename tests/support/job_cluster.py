"""Clusters for tests of jobs: submitit's own on this machine, without a scheduler; and one of words alone."""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cdkd.sweep.workers.cluster_jobs import JobLook, SchedulerAway, SubmititJobs
from cdkd.sweep.workers.worker_job import JobEnd, WorkerJob


class LocalCluster(SubmititJobs):
    """Each job is a process of this machine, as submitit's local executor starts it."""

    def __init__(self) -> None:
        super().__init__("local", {"timeout_min": 5})

    def look(self, jobs: Sequence[str]) -> Mapping[str, JobLook]:
        return {job: JobLook("running", "RUNNING") if _runs(job) else JobLook("ended", "COMPLETED") for job in jobs}

    def cancel(self, jobs: Sequence[str], only_waiting: bool = False) -> None:
        for job in () if only_waiting else jobs:
            with suppress(ProcessLookupError):
                os.kill(int(job), signal.SIGINT)

    def warn(self, job: str) -> None:
        """Sends what a scheduler sends before it takes the machine back."""
        for process in Path(f"/proc/{job}/task/{job}/children").read_text().split():
            os.kill(int(process), signal.SIGUSR2)


def _runs(job: str) -> bool:
    # A controller that has ended stays a child of this process until somebody asks for it.
    with suppress(ChildProcessError):
        os.waitpid(int(job), os.WNOHANG)
    return Path(f"/proc/{job}").exists()


class SpokenCluster:
    """Does nothing, and says what it is told to say."""

    def __init__(self) -> None:
        self.looks: dict[str, JobLook] = {}
        self.ends: dict[str, JobEnd] = {}
        self.cancelled: list[str] = []
        self.only_waiting: list[str] = []
        self.is_away = False
        self.num_submitted = 0

    def submit(self, folder: Path, jobs: Sequence[WorkerJob]) -> list[str]:
        self.num_submitted += 1
        ids = [f"{self.num_submitted}_{index}" for index in range(len(jobs))]
        self.looks |= dict.fromkeys(ids, JobLook("running", "RUNNING"))
        return ids

    def look(self, jobs: Sequence[str]) -> Mapping[str, JobLook]:
        if self.is_away:
            raise SchedulerAway("Slurm does not answer: no route to host")
        return {job: self.looks[job] for job in jobs if job in self.looks}

    def cancel(self, jobs: Sequence[str], only_waiting: bool = False) -> None:
        (self.only_waiting if only_waiting else self.cancelled).extend(jobs)
        for job in jobs:
            if not only_waiting or self.looks[job].state == "waiting":
                self.looks[job] = JobLook("cancelled", "CANCELLED")

    def end_of(self, folder: Path, job: str) -> JobEnd | None:
        return self.ends.get(job)
