"""What each of a sweep's workers gets of this machine: GPUs of its own, threads, and its share of the cores."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from cdkd.capacity import CORES_OF_CELL, MIG, default_workers, gpu_names, num_cores
from cdkd.errors import CdkdError
from cdkd.settings import RunConfig

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_OF_OTHER_LAUNCHERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
"""A worker is alone, whatever started the sweep; torchrun sets these anew for the processes of a cell."""


@dataclass(frozen=True)
class Places:
    """Worker i has GPUs i N to i N + N - 1, N being the processes that train a cell together.

    GPUs        0 1   2 3   4 5   6 7
    workers      0     1     2     3       N = 2
    """

    num_workers: int
    num_processes: int = 1
    """N: processes per cell."""
    num_threads: int = 1
    """Of each process."""
    gpus: tuple[str, ...] = ()
    """Names of what is shared out; empty: there is nothing, or cells name a device themselves."""

    @property
    def own_environment(self) -> dict[str, str]:
        """What every worker's environment is given, wherever it runs: its threads, and this process's import path."""
        # The runner's module has to be found as it was found here. The empty entry, the working directory, is left out
        # for the reason that -P is given.
        path = os.pathsep.join(path for path in sys.path if path)
        return {**dict.fromkeys(_THREADS, str(self.num_threads)), "PYTHONPATH": path}

    def environment(self, worker: int) -> dict[str, str]:
        """A worker's environment: its threads, cores and GPUs, and this process's import path."""
        environment = {**os.environ, **self.own_environment}
        for name in _OF_OTHER_LAUNCHERS:
            environment.pop(name, None)
        environment[CORES_OF_CELL] = str(max(1, num_cores() // self.num_workers))
        if self.gpus:
            # Set from outside and before torch starts, so that a worker never opens a context on a GPU that is not its
            # own. With one GPU per cell more workers than GPUs are allowed: small networks share one well.
            first = worker * self.num_processes % len(self.gpus)
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(self.gpus[first : first + self.num_processes])
        return environment


def find_places(configs: Sequence[RunConfig], num_workers: int | None, num_processes: int = 1) -> Places:
    """The places of a sweep of these cells.

    Args:
        configs: of all its cells.
        num_workers: as asked for; None: as many as the machine has room for.
        num_processes: per cell.

    Raises:
        CdkdError: there are fewer GPUs than that takes.
    """
    devices = {config.runtime.device for config in configs}
    # A worker runs cells of every stage and cannot change its threads in between, so it starts with the most.
    threads = max((config.runtime.num_threads for config in configs), default=1)
    gpus = gpu_names() if devices & {"auto", "cuda"} else ()
    if any(device.startswith("cuda:") for device in devices):
        # These name one device of all that this process sees; hiding some from a worker would change which one it is.
        return Places(num_workers or 1, num_processes, threads)
    if gpus and num_processes > 1:
        _check_groups(gpus, num_workers or 1, num_processes)
    found = num_workers or default_workers(num_gpus=len(gpus), num_processes=num_processes)
    return Places(found, num_processes, threads, gpus)


def _check_groups(gpus: tuple[str, ...], num_workers: int, num_processes: int) -> None:
    if num_workers * num_processes > len(gpus):
        raise CdkdError(
            f"--gpus-per-cell {num_processes} with {num_workers} worker{'s' * (num_workers > 1)} takes "
            f"{num_workers * num_processes} GPUs, and {len(gpus)} can be seen ({', '.join(gpus)}); lower one of the "
            "two, or set runtime.device=cpu"
        )
    if any(gpu.startswith(MIG) for gpu in gpus):
        raise CdkdError(
            "--gpus-per-cell: CUDA shows a process one MIG instance at most; leave the option out, and each instance "
            "trains a cell of its own"
        )
