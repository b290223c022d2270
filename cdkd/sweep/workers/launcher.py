"""What a sweep asks of whatever starts its workers, and which of the kinds that exist it gets.

inline.py         the sweep's own process, for a debugger                     --workers 0
pool.py           processes of this machine                                   --launcher local
job_workers.py    jobs of a cluster, each with one worker in it               --launcher slurm
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from cdkd.settings import RunConfig
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.workers.inline import InlineWorker
from cdkd.sweep.workers.places import Places, find_places
from cdkd.sweep.workers.pool import Workers
from cdkd.sweep.workers.result import SweepOptions

if TYPE_CHECKING:
    from cdkd.sweep.workers.cell_turn import CellTurn


class Launcher(Protocol):
    """A group of workers of one sweep."""

    def __len__(self) -> int:
        """How many there are, those included that have yet to begin."""

    def start_early(self) -> None:
        """Work will come: whatever takes time before it may be done now."""

    def start(self, count: int) -> None:
        """Brings the group to `count` workers."""

    def watch(self) -> list[str]:
        """Looks after them, replaces those that are gone; returns what to tell of them.

        Raises:
            CdkdError: no worker can run.
        """

    def note_success(self) -> None:
        """A task ended: the workers do work."""

    def wait(self, seconds: float) -> None:
        """Lets them work."""

    def drain(self) -> None:
        """Asks every worker to end after the task under way."""

    def stop_at_checkpoint(self) -> None:
        """Asks every worker to end after the epoch under way, with a checkpoint."""

    def has_ended(self) -> bool:
        """Every worker has ended."""

    def leave(self) -> None:
        """Nothing is left to do: lets whoever has settled its task end that task's run, too, if that is soon."""

    def stop(self) -> None:
        """Ends every worker now; cells under way go back to their last checkpoints."""


def plan_places(configs: Sequence[RunConfig], options: SweepOptions) -> Places:
    """What each worker of a sweep gets, of this machine or of the cluster's.

    Args:
        configs: of all its cells.
        options: the sweep's.

    Raises:
        CdkdError: this machine has fewer GPUs than that takes.
    """
    if options.slurm is None:
        return find_places(configs, options.workers, options.processes_per_cell)
    threads = max((config.runtime.num_threads for config in configs), default=1)
    return Places(options.workers or options.slurm.default_jobs, options.processes_per_cell, threads)


def make_launcher(
    folder: StudyFolder, options: SweepOptions, places: Places, sweep: str, turn: "CellTurn", may_use_gpus: bool
) -> Launcher:
    """The launcher that a sweep's options ask for.

    Args:
        folder: the study's.
        options: the sweep's.
        places: of its workers.
        sweep: `WantedTasks.name` of the sweep.
        turn: runs cells in this process.
        may_use_gpus: some cell is not bound to processors.

    Raises:
        CdkdError: the cluster cannot be used.
    """
    extra = ["--gpus-per-cell", str(places.num_processes), *(["--fresh"] if options.is_fresh else [])]
    if options.slurm is not None:
        # Only here, since submitit is an extra.
        from cdkd.sweep.workers.job_workers import JobWorkers
        from cdkd.sweep.workers.slurm import SlurmCluster

        cluster = SlurmCluster(options.slurm, places, may_use_gpus)
        cluster.require_reach(folder.storage, options.tracking_uri)
        return JobWorkers(folder, options.tracking_uri, options.runner, places, cluster, sweep, extra)
    if options.workers == 0:
        return InlineWorker(turn)
    return Workers(folder, options.tracking_uri, options.runner, places, ["--sweep", sweep, *extra])
