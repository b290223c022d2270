"""Jobs of a cluster, as a sweep sees them: submitted through submitit, looked at and cancelled by their scheduler."""

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from cdkd.errors import CdkdError
from cdkd.sweep.workers.worker_job import JobEnd, WorkerJob

JobState = Literal["waiting", "running", "ended", "killed", "cancelled"]
"""killed: by the scheduler, for time, memory or the machine's sake."""

_MAX_REQUEUES = 10**6
"""submitit's own limit is there for jobs that come no farther; those are noticed by their cells."""


class SchedulerAway(CdkdError):
    """The scheduler does not answer now."""


@dataclass(frozen=True)
class JobLook:
    """A job as its scheduler shows it."""

    state: JobState
    word: str
    """The scheduler's own, in capitals."""
    reason: str = ""
    """Why it waits."""

    @property
    def is_alive(self) -> bool:
        """It has not ended."""
        return self.state in ("waiting", "running")


class Scheduler(Protocol):
    """Knows how jobs stand."""

    def look(self, jobs: Sequence[str]) -> Mapping[str, JobLook]:
        """How jobs stand; those that the scheduler has forgotten are left out."""

    def cancel(self, jobs: Sequence[str], only_waiting: bool = False) -> None:
        """Cancels jobs; those that have ended stay as they are."""


class Cluster(Scheduler, Protocol):
    """Where jobs run."""

    def submit(self, folder: Path, jobs: Sequence[WorkerJob]) -> list[str]:
        """Submits jobs, whose files lie in a folder that all machines see; returns their ids."""

    def end_of(self, folder: Path, job: str) -> JobEnd | None:
        """How the worker of a job ended; None where the job did not come to say so."""


class SubmititJobs:
    """Submits through one of submitit's executors.

    Args:
        cluster: submitit's name of it.
        settings: submitit's, of the jobs.
    """

    def __init__(self, cluster: str, settings: Mapping[str, Any]) -> None:
        self._cluster = cluster
        self._settings = settings

    def submit(self, folder: Path, jobs: Sequence[WorkerJob]) -> list[str]:
        """See `Cluster`.

        Raises:
            CdkdError: the scheduler refuses them.
        """
        submitit = import_submitit()
        executor = submitit.AutoExecutor(folder, cluster=self._cluster, slurm_max_num_timeout=_MAX_REQUEUES)
        executor.update_parameters(**self._settings)
        try:
            return [str(job.job_id) for job in executor.submit_array(list(jobs))]
        except submitit.core.utils.FailedJobError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            words = next(
                (line for line in lines if line.startswith("sbatch: ")), (lines or ["it does not say why"])[-1]
            )
            raise CdkdError(f"the cluster refuses the jobs: {words}") from error

    def end_of(self, folder: Path, job: str) -> JobEnd | None:
        """See `Cluster`."""
        result = import_submitit().core.utils.JobPaths(folder, job).result_pickle
        if not result.exists():
            return None
        outcome, value = pickle.loads(result.read_bytes())
        if outcome == "success" and isinstance(value, JobEnd):
            return value
        # A traceback.
        return JobEnd(1, str(value).strip().splitlines()[-1])


def import_submitit() -> Any:
    """The package, which is an extra.

    Raises:
        CdkdError: it is not installed.
    """
    try:
        import submitit
    except ImportError as error:
        raise CdkdError("--launcher slurm: submitit is not installed; pip install 'cdkd[slurm]'") from error
    return submitit
