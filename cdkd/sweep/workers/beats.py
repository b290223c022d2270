"""Signs of life of worker processes: a file that each touches, and who stops touching it is hung, or was stopped."""

import contextlib
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

SECONDS_BETWEEN_BEATS = 2.0


def start_beating(file: Path) -> None:
    """Touches a file again and again, from a thread that a stopped process stops with."""
    file.parent.mkdir(parents=True, exist_ok=True)

    def beat() -> None:
        while True:
            # A full disk lets nobody make a file, and is no reason to end.
            with contextlib.suppress(OSError):
                file.touch()
            time.sleep(SECONDS_BETWEEN_BEATS)

    threading.Thread(target=beat, name="beats", daemon=True).start()


@dataclass
class Pulse:
    """Watches one file.

    It counts on this process's own clock, which stands still while the whole machine sleeps, since when the file has
    not changed: clocks that are set, and laptops that are closed, make no worker look hung.
    """

    file: Path
    _last: int | None = None
    _since: float = field(default_factory=time.monotonic)

    @property
    def has_begun(self) -> bool:
        """The process has given a sign."""
        return self.file.exists()

    def seconds_still(self) -> float:
        """How long the process has given no sign; 0 before its first one."""
        try:
            now = self.file.stat().st_mtime_ns
        except OSError:
            return 0.0
        if now != self._last:
            self._last, self._since = now, time.monotonic()
        return time.monotonic() - self._since
