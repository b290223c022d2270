"""How far a running trial is: written by its worker, read by the live view."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from cdkd.atomic_write import atomic_write

_MIN_SECONDS_BETWEEN_WRITES = 0.5


@dataclass(frozen=True)
class TaskProgress:
    """A trial's progress at a moment."""

    fraction: float
    """Of the whole, 0 to 1."""
    seconds_left: float | None
    """None until this attempt has moved."""


class ProgressWriter:
    """Keeps a trial's progress in a file; cheap enough to be called at every step."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._began_at = time.time()
        # An attempt that resumes must not count what an earlier one did as its own speed.
        self._began_share: float | None = None
        self._last_write = 0.0

    def __call__(self, fraction: float) -> None:
        """Notes that this share of the whole is done."""
        now = time.time()
        if self._began_share is None:
            self._began_share, self._began_at = fraction, now
        if now - self._last_write < _MIN_SECONDS_BETWEEN_WRITES and fraction < 1.0:
            return
        self._last_write = now
        moved, seconds = fraction - self._began_share, now - self._began_at
        left = seconds / moved * (1.0 - fraction) if moved > 0 else None
        atomic_write(
            self._file,
            json.dumps(
                {"fraction": fraction, "ends_at": None if left is None else now + left, "began": self._began_share}
            ),
            is_synced=False,
        )

    def clear(self) -> None:
        """Removes the file."""
        self._file.unlink(missing_ok=True)


def read_progress(file: Path) -> TaskProgress | None:
    """A trial's progress; None before its first step."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    ends_at = content["ends_at"]
    return TaskProgress(float(content["fraction"]), None if ends_at is None else max(0.0, float(ends_at) - time.time()))
