"""How a tracked run or a queued task stands: one word for it everywhere."""

from typing import Literal

RunStatus = Literal["waiting", "running", "stale", "finished", "diverged", "failed", "killed"]
"""waiting: nobody has it yet; running: somebody works on it; stale: whoever did is gone, and it waits for recovery;
finished: it has its result; diverged: its loss was not finite, which is a result too; failed: an error ended it;
killed: its process was stopped or died, and another attempt goes on from its last checkpoint."""


def has_result(status: RunStatus) -> bool:
    """Nothing needs to run again."""
    return status in ("finished", "diverged")
