"""A worker whose machine is at fault: it waits longer each time, and ends when that does not help."""

from cdkd.errors import CdkdError

_SECONDS_BETWEEN_TRIES = (1.0, 5.0, 15.0, 60.0)
_QUICK_SECONDS = 60.0
"""What ran for longer has met something that comes and goes."""


class MachineTrouble:
    """Counts tasks in a row that were put back soon after their start."""

    def __init__(self) -> None:
        self._num_in_a_row = 0

    def seconds_to_wait(self, reason: str | None, seconds: float) -> float:
        """How long to wait before the next claim.

        Args:
            reason: why the last task was put back; None where it was settled.
            seconds: how long it ran.

        Raises:
            CdkdError: too many were put back in a row.
        """
        if reason is None:
            self._num_in_a_row = 0
            return 0.0
        self._num_in_a_row = self._num_in_a_row + 1 if seconds < _QUICK_SECONDS else 1
        if self._num_in_a_row > len(_SECONDS_BETWEEN_TRIES):
            raise CdkdError(f"{self._num_in_a_row} tasks in a row could not be run on this machine: {reason}")
        return _SECONDS_BETWEEN_TRIES[self._num_in_a_row - 1]
