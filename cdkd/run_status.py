"""How a tracked run or a queued task stands: one word for it everywhere."""

from typing import Literal

RunStatus = Literal["waiting", "running", "stale", "finished", "diverged", "failed", "killed", "pruned"]
"""waiting: nobody has it yet; running: somebody works on it; stale: whoever did is gone, and it waits for recovery;
finished: it has its result; diverged: its loss was not finite, which is a result too; failed: an error ended it;
killed: its process was stopped or died, and another attempt goes on from its last checkpoint; pruned: a search ended
it early, since it was behind the others."""


def has_result(status: RunStatus) -> bool:
    """Nothing needs to run again."""
    return status in ("finished", "diverged")


def is_over(status: RunStatus) -> bool:
    """It came to its end: with a result, or as a search decided."""
    return has_result(status) or status == "pruned"
