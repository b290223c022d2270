"""A real `mlflow server` of the tests' own, on a free port, which a test may kill and start again."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from support.sweeps import wait_until


class TrackingServer:
    """Serves an SQLite file, artifacts through it; has the same address after every start."""

    def __init__(self, folder: Path, database: Path) -> None:
        self._folder = folder
        self._database = database
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self._port = taken.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--backend-store-uri", f"sqlite:///{self._database}", "--port", str(self._port)]
        options += ["--artifacts-destination", str(self._folder / "artifacts"), "--workers", "1"]
        log = (self._folder / "server.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *options],
            stdout=log,
            stderr=log,
            cwd=self._folder,
            start_new_session=True,
        )
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, (self._folder / "server.log").read_text()
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=5.0) as answer:
            return bool(answer.status == 200)
        return False

    def kill(self) -> None:
        """With all of its processes, in the middle of whatever they do."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def tracking_server(folder: Path, database: Path) -> Iterator[TrackingServer]:
    """One that answers."""
    server = TrackingServer(folder, database)
    server.start()
    try:
        yield server
    finally:
        server.kill()
