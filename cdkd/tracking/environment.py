"""What a run was made on: Python, packages, machine; and how busy the machine was, sampled epoch by epoch.

Neither needs torch, nor a thread: a sample is taken when an epoch is logged, and goes to the store with it.
"""

import os
import platform
import socket
from functools import cache
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("torch", "torchvision", "av", "numpy", "numba", "mlflow", "optuna")
"""Those that can change a result, or how it is kept."""
_MEGABYTE = 2**20


@cache
def environment() -> dict[str, str]:
    """As a run's metadata; the same for every run of a process."""
    cores = os.cpu_count() or 0
    return {
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {found}" for name in _PACKAGES if (found := _version(name))),
        "machine": f"{socket.gethostname()}, {platform.system()} {platform.machine()}, {cores} cores",
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


class MachineSampler:
    """How busy this process and its machine are, under the names that MLflow's pages know."""

    def __init__(self) -> None:
        import psutil

        self._process = psutil.Process()
        # The first answer would be 0: it is the load since the question before.
        psutil.cpu_percent(None)
        self._process.cpu_percent(None)

    def sample(self) -> dict[str, float]:
        """Loads since the last sample; memory now."""
        import psutil

        memory = psutil.virtual_memory()
        return {
            "system/cpu_utilization_percentage": psutil.cpu_percent(None),
            "system/system_memory_usage_percentage": memory.percent,
            "system/system_memory_usage_megabytes": (memory.total - memory.available) / _MEGABYTE,
            "system/process_cpu_utilization_percentage": self._process.cpu_percent(None),
            "system/process_memory_usage_megabytes": self._process.memory_info().rss / _MEGABYTE,
        }
