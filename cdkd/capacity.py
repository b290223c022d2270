"""How many worker processes this machine has room for."""

import os
from pathlib import Path

_BYTES_PER_WORKER = 1.5 * 2**30
"""A process with torch, its networks and a small data set in memory."""

_CGROUP = Path("/sys/fs/cgroup")


def default_workers(cgroup: Path = _CGROUP) -> int:
    """One per core that this process may use, less where memory is short."""
    return max(1, min(num_cores(cgroup), int(memory_bytes(cgroup) // _BYTES_PER_WORKER)))


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


def gpu_names() -> tuple[str, ...]:
    """Indices of this machine's NVIDIA GPUs, as CUDA_VISIBLE_DEVICES counts them; empty without any."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return tuple(name for name in chosen.split(",") if name)
    try:
        found = len(list(Path("/proc/driver/nvidia/gpus").iterdir()))
    except OSError:
        found = 0
    return tuple(str(index) for index in range(found))
