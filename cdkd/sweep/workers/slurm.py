"""A Slurm cluster: what its jobs are given, how they are looked at (squeue) and cancelled (scancel).

submitit asks sacct how its jobs stand, which many clusters do not have; squeue every one has.
"""

import re
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cdkd.errors import CdkdError
from cdkd.sweep.workers.cluster_jobs import JobLook, JobState, SchedulerAway, SubmititJobs, import_submitit
from cdkd.sweep.workers.places import Places
from cdkd.tracking.store import database_file, is_on_this_machine, shown

_DEFAULT_JOBS = 16
_MAX_MINUTES = 24 * 60
"""Asked for where nothing else is: as every cell goes on from its checkpoints, no job needs to be long."""
_WAITING = {"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
_KILLED = {"TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL", "DEADLINE", "PREEMPTED", "REVOKED", "LAUNCH_FAILED"}
_ENDED = {"COMPLETED", "FAILED"}
_CANCELLED = {"CANCELLED"}


@dataclass(frozen=True)
class SlurmOptions:
    """What a sweep's jobs are to be given."""

    partition: str | None = None
    minutes: int | None = None
    """Time limit of a job; None: the partition's, a day at most."""
    array_parallelism: int | None = None
    """Jobs that run at once."""
    cpus: int | None = None
    """Per job; None: one for each thread of each process."""
    memory_gb: float | None = None
    others: Mapping[str, str] = field(default_factory=dict)
    """Further options of sbatch, by name."""

    @property
    def default_jobs(self) -> int:
        """How many are submitted at most, where nobody says."""
        return self.array_parallelism or _DEFAULT_JOBS


class SlurmQueue:
    """See `Scheduler`."""

    def look(self, jobs: Sequence[str]) -> dict[str, JobLook]:
        """See `Scheduler`.

        Raises:
            SchedulerAway: Slurm does not answer.
        """
        found: dict[str, JobLook] = {}
        # Array by array: of several ids, one that Slurm has forgotten would spoil the answer for all.
        for array in dict.fromkeys(job.partition("_")[0] for job in jobs):
            command = ["squeue", "--noheader", "--array", "--states", "all", "--format", "%i|%T|%r", "--jobs", array]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                if "Invalid job id" in done.stderr:
                    continue
                raise SchedulerAway(f"Slurm does not answer: {_last_line(done.stderr)}")
            for line in done.stdout.splitlines():
                job, word, reason = line.strip().split("|", 2)
                found[job] = JobLook(_state(word), word, "" if reason == "None" else reason)
        return {job: found[job] for job in jobs if job in found}

    def cancel(self, jobs: Sequence[str], only_waiting: bool = False) -> None:
        """See `Scheduler`."""
        if jobs:
            waiting = ["--state=PENDING"] if only_waiting else []
            subprocess.run(["scancel", "--quiet", *waiting, *jobs], capture_output=True, check=False)


class SlurmCluster(SubmititJobs, SlurmQueue):
    """See `Cluster`.

    Args:
        options: of the sweep.
        places: what each worker needs.
        may_use_gpus: some cell is not bound to processors.

    Raises:
        CdkdError: there is no such cluster, or none of its partitions is called so.
    """

    def __init__(self, options: SlurmOptions, places: Places, may_use_gpus: bool) -> None:
        import_submitit()
        if shutil.which("sbatch") is None or shutil.which("srun") is None:
            raise CdkdError("--launcher slurm: no sbatch here; type it on a machine that submits to the cluster")
        self._partition = _partition(options.partition)
        gpus = places.num_processes if may_use_gpus and self._partition.has_gpus else None
        minutes = options.minutes or self._partition.max_minutes
        others = {"requeue": True, **options.others}
        super().__init__(
            "slurm",
            {
                "name": "cdkd",
                "timeout_min": minutes,
                "cpus_per_task": options.cpus or places.num_processes * places.num_threads,
                "gpus_per_node": gpus,
                "mem_gb": options.memory_gb,
                "slurm_partition": self._partition.name,
                "slurm_array_parallelism": options.array_parallelism or places.num_workers,
                # The last epoch before the time limit is given a tenth of it.
                "slurm_signal_delay_s": min(600, max(10, minutes * 6)),
                "slurm_additional_parameters": others,
            },
        )

    def require_reach(self, storage: str | None, tracking_uri: str) -> None:
        """Looks whether the cluster's machines can work on the study.

        Args:
            storage: address of the database that keeps its cells; None: a journal in its folder does.
            tracking_uri: where it is tracked.

        Raises:
            CdkdError: they cannot, or not without doing twice what others do.
        """
        if self._partition.nodes == {socket.gethostname().partition(".")[0]}:
            return
        others = f"the {len(self._partition.nodes)} machines of partition {self._partition.name}"
        if storage is None:
            raise CdkdError(
                f"--launcher slurm: the study's journal is safe on one machine alone, and jobs may run on {others}; "
                "keep its cells in PostgreSQL: --storage postgresql+psycopg://user@host/database"
            )
        if is_on_this_machine(storage):
            raise CdkdError(f"--storage: {others} cannot reach a database by an address of this machine's own")
        if database_file(tracking_uri) is not None:
            raise CdkdError(
                f"--launcher slurm: {others} cannot share the tracking store {shown(tracking_uri)}, a file; start "
                "mlflow server, and name it with MLFLOW_TRACKING_URI or --tracking-uri"
            )
        if is_on_this_machine(tracking_uri):
            raise CdkdError(
                f"--launcher slurm: {others} cannot reach {shown(tracking_uri)}; name the server by its host's name"
            )


def _state(word: str) -> JobState:
    if word in _WAITING:
        return "waiting"
    if word in _KILLED:
        return "killed"
    if word in _CANCELLED:
        return "cancelled"
    # COMPLETING, SUSPENDED and the like still hold their machine.
    return "ended" if word in _ENDED else "running"


@dataclass(frozen=True)
class _Partition:
    name: str
    nodes: frozenset[str]
    """Names of the machines."""
    has_gpus: bool
    max_minutes: int
    """A day at most."""


def _partition(wanted: str | None) -> _Partition:
    command = ["sinfo", "--noheader", "--Node", "--format", "%R|%P|%n|%G|%l"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CdkdError(f"--launcher slurm: Slurm does not answer: {_last_line(done.stderr)}")
    rows = [line.strip().split("|") for line in done.stdout.splitlines() if line.count("|") == 4]
    names = dict.fromkeys(row[0] for row in rows)
    # A star marks what is used where nobody names one.
    name = wanted or next((row[0] for row in rows if row[1].endswith("*")), None)
    if name is None or name not in names:
        what = "no partition is the default" if name is None else f"there is no partition {name}"
        raise CdkdError(f"--partition: {what}; this cluster has {', '.join(names) or 'none'}")
    mine = [row for row in rows if row[0] == name]
    nodes = frozenset(row[2].partition(".")[0] for row in mine)
    limits = [minutes for row in mine if (minutes := _minutes(row[4])) is not None]
    return _Partition(name, nodes, any("gpu" in row[3] for row in mine), min([_MAX_MINUTES, *limits]))


def _minutes(text: str) -> int | None:
    """Of a time as Slurm prints it, days-hours:minutes:seconds; None: unlimited."""
    try:
        return parse_minutes(text)
    except ValueError:
        return None


def parse_minutes(text: str) -> int:
    """Whole minutes of a time as sbatch takes it: minutes, minutes:seconds, hours:minutes:seconds, days-hours[:...].

    Raises:
        ValueError: it is no such time, or none at all.
    """
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no time; write minutes, hours:minutes:seconds, or days-hours:minutes:seconds")
    days, first, second, third = (None if part is None else int(part) for part in found.groups())
    if days is not None:
        hours, minutes, seconds = first or 0, second or 0, third or 0
    elif third is not None:
        hours, minutes, seconds = first or 0, second or 0, third
    else:
        hours, minutes, seconds = 0, first or 0, second or 0
    total = ((days or 0) * 24 + hours) * 60 + minutes + (seconds + 59) // 60
    if not total:
        raise ValueError("a job needs a minute at least")
    return total


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it does not say why"
