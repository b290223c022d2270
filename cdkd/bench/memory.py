"""The most memory that something took, on a GPU or of this process."""

from pathlib import Path

import torch


def reset_peak(device: torch.device) -> bool:
    """Restarts the high-water mark of memory, so that networks do not hide one another; False where that is denied."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:
        # Linux: 5 resets the peak of resident memory.
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_mebibytes(device: torch.device) -> float | None:
    """Since the last reset: of the allocator on a GPU, of the whole process on a CPU; None where nobody tells."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**10
    return None
