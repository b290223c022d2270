"""How far a running trial is: written by its worker, read by whoever looks on."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdkd.atomic_write import atomic_write
from cdkd.callbacks import RunPhase

_MIN_SECONDS_BETWEEN_WRITES = 0.5
_TESTING_TIME = "testing.json"
"""Beside the files of progress: how long the last test of this study took."""


@dataclass(frozen=True)
class TaskProgress:
    """A trial's progress at a moment."""

    fraction: float
    """Of the phase, 0 to 1."""
    seconds_left: float | None
    """To the end of the whole run, as far as known; None until this attempt has moved."""
    phase: RunPhase = "training"


class ProgressWriter:
    """Keeps a trial's progress in a file; cheap enough to be called at every step."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._phase: RunPhase | None = None
        self._began_at = time.time()
        self._began_share = 0.0
        self._last_write = 0.0
        self._attempt_began: float | None = None
        """Share of the training that was done before; who judges a worker's death wants to know."""

    def __call__(self, fraction: float, /, phase: RunPhase = "training") -> None:
        """Notes that this share of a phase is done."""
        now = time.time()
        if self._attempt_began is None:
            self._attempt_began = fraction if phase == "training" else 1.0
        if phase != self._phase:
            # Each phase has a speed of its own, and an attempt that resumes must not count what an earlier one did.
            self._phase, self._began_share, self._began_at = phase, fraction, now
        elif now - self._last_write < _MIN_SECONDS_BETWEEN_WRITES and fraction < 1.0:
            return
        self._last_write = now
        moved, seconds = fraction - self._began_share, now - self._began_at
        left = seconds / moved * (1.0 - fraction) if moved > 0 else None
        ends_at = None if left is None else now + left
        self._write(
            self._file, {"fraction": fraction, "ends_at": ends_at, "phase": phase, "began": self._attempt_began}
        )
        if phase == "testing" and fraction >= 1.0:
            self._write(self._file.with_name(_TESTING_TIME), {"seconds": seconds})

    @staticmethod
    def _write(file: Path, content: dict[str, object]) -> None:
        atomic_write(file, json.dumps(content), is_synced=False)

    def clear(self) -> None:
        """Removes the file."""
        self._file.unlink(missing_ok=True)


def read_progress(file: Path) -> TaskProgress | None:
    """A trial's progress; None before its first step."""
    content = _read(file)
    if content is None:
        return None
    left = None
    if content["ends_at"] is not None:
        left = max(0.0, float(content["ends_at"]) - time.time())
        if content["phase"] == "training":
            # Nobody knows before the first test of a study how long one takes; then it counts for what is left.
            tested = _read(file.with_name(_TESTING_TIME))
            left += 0.0 if tested is None else float(tested["seconds"])
    return TaskProgress(float(content["fraction"]), left, content["phase"])


def _read(file: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content
