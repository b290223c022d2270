"""A folder to sweep in: a small study, the fake experiment beside it, a tracking store set up in advance."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import TrialQueue
from cdkd.sweep.study.reading import load_study
from cdkd.sweep.workers.result import SweepOptions, SweepResult
from cdkd.sweep.workers.runner import run_sweep
from cdkd.tracking.store import tracking_uri

FAKE = "support.fake_runner:RUNNER"

GRID = """
study: grid
stages:
  - name: rows
    axes:
      student.arch: [tsm, tdn]
      train.epochs: [1, 2, 3]
    base: {distill: {spatial: {enabled: false}, temporal: {enabled: false}}}
"""


_STARTED: deque["subprocess.Popen[str]"] = deque(maxlen=4)
"""The last commands; to keep all would keep their pipes open."""


class Recorder:
    """A display that keeps what it is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.statuses: list[object] = []

    def log_event(self, text: str) -> None:
        self.texts.append(text)

    def show(self, status: object) -> None:
        self.statuses.append(status)


class Bench:
    """The folder, with verbs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fake = Path(os.environ["FAKE_EXPERIMENT"])
        self.display = Recorder()

    def write(self, text: str, name: str = "study.yaml") -> Path:
        file = self.folder / name
        file.write_text(text)
        return file

    def sweep(self, file: Path, **options: object) -> SweepResult:
        self.display = Recorder()
        settings = {"workers": 0, "runner": FAKE, **options}
        return run_sweep(load_study(file), SweepOptions(tracking_uri(), **settings), self.display)

    def start(self, file: Path, *arguments: str) -> "subprocess.Popen[str]":
        """A sweep in a process of its own, without tables and figures at its end."""
        return self.run("sweep", str(file), "--runner", FAKE, "--no-report", *arguments)

    def run(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "cdkd", *arguments]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        # What does not end in time is aborted, and says where it stood (`wait_until`).
        environment["PYTHONFAULTHANDLER"] = "1"
        process = subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.folder
        )
        _STARTED.append(process)
        return process

    def queue(self, study: str = "grid") -> TrialQueue:
        return TrialQueue(StudyFolder(self.folder / ".cdkd" / study))

    def marks(self, kind: str) -> list[str]:
        folder = self.fake / kind
        return sorted(file.name.rsplit("-", 2)[0] for file in folder.iterdir()) if folder.exists() else []

    def worker_ids(self, kind: str = "started") -> set[int]:
        """Process ids of the workers that have marked something."""
        return {int(file.name.rsplit("-", 2)[1]) for file in (self.fake / kind).iterdir()}


def wait_until(condition: Callable[[], bool], seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain{_outputs()}"
        time.sleep(0.02)


def _outputs() -> str:
    """What the commands that nobody has read yet have said; those that still run say where they stand."""
    found = ""
    for process in _STARTED:
        if process.stdout is not None and not process.stdout.closed:
            status = process.poll()
            if status is None:
                process.send_signal(signal.SIGABRT)
            try:
                output, _ = process.communicate(timeout=10)
            except (subprocess.TimeoutExpired, ValueError) as error:
                output = str(error)
            found += f"\n{process.args}, {'still ran' if status is None else f'ended with {status}'}:\n{output}"
    return found


def is_alive(process_id: int) -> bool:
    """The process runs; one that has ended and only waits to be collected does not."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def ready_store(template: Path, folder: Path) -> None:
    """Copies a tracking store whose tables exist, since making them takes longer than a whole test."""
    shutil.copyfile(template, folder / "mlflow.db")
