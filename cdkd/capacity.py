"""How many worker processes this machine has room for, by its cores, memory and GPUs."""

import os
from itertools import takewhile
from pathlib import Path

_BYTES_PER_WORKER = 1.5 * 2**30
"""A process with torch, its networks and a small data set in memory."""

_CGROUP = Path("/sys/fs/cgroup")
_DRIVER = Path("/proc/driver/nvidia/gpus")
_GPU = "GPU-"
MIG = "MIG-"
"""How the names of a GPU's instances begin."""
CORES_OF_CELL = "CDKD_CORES_OF_CELL"
"""Environment variable: the cores that a sweep leaves to each of its cells."""


def default_workers(cgroup: Path = _CGROUP, num_gpus: int = 0, num_processes: int = 1) -> int:
    """One per GPU where there are any, else one per core that this process may use; less where memory is short.

    Args:
        cgroup: where the kernel tells the limits of this process's container.
        num_gpus: that workers share out among them.
        num_processes: of each worker.
    """
    places = (num_gpus or num_cores(cgroup)) // num_processes
    return max(1, min(places, int(memory_bytes(cgroup) // (_BYTES_PER_WORKER * num_processes))))


def num_cores(cgroup: Path = _CGROUP) -> int:
    """Cores that this process may use: its affinity, and in a container the quota, which affinity does not show."""
    cores = len(os.sched_getaffinity(0))
    quota = _read(cgroup / "cpu.max").split()
    if len(quota) == 2 and quota[0] != "max":
        cores = min(cores, max(1, round(int(quota[0]) / int(quota[1]))))
    return cores


def memory_bytes(cgroup: Path = _CGROUP) -> int:
    """Memory that this process and its children may use."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _read(cgroup / "memory.max").strip()
    return min(total, int(limit)) if limit.isdigit() else total


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""


def own_cores(cgroup: Path = _CGROUP) -> int:
    """Cores of this process alone: its share where a sweep runs several cells at once, or torchrun several processes.

    Both say so in the environment: a sweep by `CORES_OF_CELL`, torchrun by LOCAL_WORLD_SIZE.
    """
    cores = int(os.environ.get(CORES_OF_CELL) or num_cores(cgroup))
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def gpu_names(driver: Path = _DRIVER) -> tuple[str, ...]:
    """This machine's NVIDIA GPUs, by the names that CUDA_VISIBLE_DEVICES has for them; empty without any.

    Those are indices, or UUIDs of GPUs and of their MIG instances. As CUDA does, the list is read up to the first
    entry that names nothing, such as -1 or `NoDevFiles`, with which some schedulers hide all GPUs.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        try:
            return tuple(str(index) for index in range(len(list(driver.iterdir()))))
        except OSError:
            return ()
    names = takewhile(_names_a_gpu, (name.strip() for name in chosen.split(",")))
    # Named twice, a GPU is still one.
    return tuple(dict.fromkeys(names))


def _names_a_gpu(name: str) -> bool:
    return name.isdecimal() or name.startswith((_GPU, MIG))
