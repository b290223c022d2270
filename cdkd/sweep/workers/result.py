"""How a sweep is to run, and how it ended."""

from dataclasses import dataclass
from pathlib import Path

from cdkd.sweep.workers.cell_runner import DEFAULT_RUNNER
from cdkd.sweep.workers.slurm import SlurmOptions


@dataclass(frozen=True)
class Failure:
    """A task that has no result and will have none without being tried again."""

    label: str
    error: str
    traceback: Path
    """In this folder; there is none where a worker in another one was at it."""
    worker: str
    """host:pid."""


@dataclass(frozen=True)
class SweepResult:
    """How a sweep ended."""

    num_cells: int
    num_done: int
    num_diverged: int
    """Of those that are done."""
    cells: tuple[str, ...]
    """Identities of all cells."""
    num_trained: int
    """Cells that this sweep itself saw to their end."""
    num_reused: int
    """Cells whose result this sweep found in the tracking store."""
    failures: tuple[Failure, ...]
    unreached: tuple[tuple[str, str], ...]
    """(stage, why) of stages whose cells could not be known; why is empty where an earlier stage is incomplete."""
    seconds: float
    warnings: tuple[str, ...] = ()
    """What makes results worth less than they look."""
    is_stopped: bool = False
    """It ended because somebody asked it to."""
    num_pruned: int = 0
    """Cells that a search ended early; they are no part of `num_done`."""

    @property
    def is_complete(self) -> bool:
        """Every cell of every stage has a result, or was pruned by a search that is over."""
        return self.num_done + self.num_pruned == self.num_cells and not self.unreached


@dataclass(frozen=True)
class SweepOptions:
    """How to run a sweep; nothing here can change a result."""

    tracking_uri: str
    workers: int | None = None
    """Processes; None: as many as the machine carries; 0: none, everything runs in this process."""
    processes_per_cell: int = 1
    """That train a cell together, each on a GPU of its own where there are GPUs."""
    retry_failed: bool = False
    stop_on_failure: bool = False
    """Start nothing more once a task has failed."""
    is_fresh: bool = False
    """Train cells whose result the tracking store has but this study's folder does not."""
    runner: str = DEFAULT_RUNNER
    """`module:name` of the object that trains and tests."""
    command: str = ""
    """As typed, for a shell; kept with the study's runs."""
    slurm: SlurmOptions | None = None
    """Workers are jobs of a cluster; None: processes of this machine."""
