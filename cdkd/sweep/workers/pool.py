"""Worker processes on this machine: started, replaced when they are killed, drained, stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

from cdkd.capacity import gpu_names
from cdkd.errors import CdkdError
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.workers.worker import DRAIN

_GRACE_SECONDS = 15.0
"""What a worker gets to record that it was stopped, before it is killed."""

_MAX_REPLACEMENTS_IN_A_ROW = 10
"""Killed workers are replaced so often without any task ending; then something is wrong with the machine."""


@dataclass
class _Worker:
    name: str
    process: "subprocess.Popen[str]"


def command_of(folder: StudyFolder, tracking_uri: str, runner: str) -> list[str]:
    """The command line of a worker; -P keeps files of the working directory from passing for modules."""
    command = [sys.executable, "-P", "-m", "cdkd", "worker", str(folder.path), "--attached"]
    return [*command, "--tracking-uri", tracking_uri, "--runner", runner]


class Workers:
    """A group of worker processes of one study.

    Args:
        folder: the study's.
        tracking_uri: where they track.
        runner: `module:name` of the object that trains the cells.
        num_threads: threads of each.
    """

    def __init__(self, folder: StudyFolder, tracking_uri: str, runner: str, num_threads: int = 1) -> None:
        self._folder = folder
        self._uri = tracking_uri
        self._runner = runner
        self._num_threads = num_threads
        self._workers: list[_Worker] = []
        self._is_draining = False
        self._replacements = 0

    def __len__(self) -> int:
        return len(self._workers)

    def start(self, count: int) -> None:
        """Brings the group to `count` processes."""
        for index in range(len(self._workers), count):
            self._workers.append(self._spawn(str(index)))

    def _spawn(self, name: str) -> _Worker:
        log = self._folder.worker_log(f"{os.getpid()}-{name}")
        log.parent.mkdir(parents=True, exist_ok=True)
        # Appended to: a replacement must not erase why the worker before it died. The parent's own handle closes here.
        with log.open("a", encoding="utf-8") as output:
            process = subprocess.Popen(
                command_of(self._folder, self._uri, self._runner),
                # Carries one word at most; that it closes when this process dies is what ends an orphaned worker.
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment_of(name),
                text=True,
                # Control-C reaches the sweep alone, which then stops its workers in good order.
                start_new_session=True,
            )
        return _Worker(name, process)

    def environment_of(self, name: str) -> dict[str, str]:
        """A worker's environment: its threads, its GPU where there are several, and this process's import path."""
        variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(variables, str(self._num_threads))}
        # The runner's module has to be found as it was found here. The empty entry, the working directory, is left out
        # for the reason that -P is given.
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        gpus = gpu_names()
        if len(gpus) > 1:
            # Set from outside and before torch starts, so that a worker never opens a context on a GPU that is not its
            # own.
            environment["CUDA_VISIBLE_DEVICES"] = gpus[int(name) % len(gpus)]
        return environment

    def watch(self) -> list[str]:
        """Replaces workers that were killed; returns what to tell of them.

        Raises:
            CdkdError: a worker ended by itself although it was not asked to, or they are killed again and again.
        """
        told = []
        for index, worker in enumerate(self._workers):
            code = worker.process.poll()
            if code is None or self._is_draining:
                continue
            log = self._folder.worker_log(f"{os.getpid()}-{worker.name}")
            # A negative code is a signal: nobody's fault in particular, and worth another try. An exit of its own is
            # not: whatever stops a worker from running at all would stop the next one too.
            if code >= 0:
                tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
                raise CdkdError(f"worker {worker.name} ended by itself (exit status {code}); {log} ends:\n{tail}")
            self._replacements += 1
            if self._replacements > _MAX_REPLACEMENTS_IN_A_ROW:
                raise CdkdError(f"workers are killed again and again (signal {-code}); is memory short? See {log}")
            told.append(f"worker {worker.name} was killed by signal {-code}; started another")
            self._workers[index] = self._spawn(worker.name)
        return told

    def note_success(self) -> None:
        """A task ended: the workers do work."""
        self._replacements = 0

    def wait(self, seconds: float) -> None:
        """Lets them work."""
        time.sleep(seconds)

    def drain(self) -> None:
        """Asks every worker to end after the task under way."""
        self._is_draining = True
        for worker in self._workers:
            # A worker that is already gone needs no telling.
            with contextlib.suppress(BrokenPipeError, ValueError):
                assert worker.process.stdin is not None
                worker.process.stdin.write(DRAIN)
                worker.process.stdin.flush()

    def has_ended(self) -> bool:
        """Every worker has ended."""
        return all(worker.process.poll() is not None for worker in self._workers)

    def stop(self) -> None:
        """Ends every worker now; runs under way are recorded as killed and resume in the next sweep."""
        self._is_draining = True
        # All are asked before any is waited for, so that they share the time that they get.
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            if worker.process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    worker.process.stdin.close()
            log = self._folder.worker_log(f"{os.getpid()}-{worker.name}")
            # Most workers print nothing, and a folder of empty logs would hide the one that matters.
            if log.exists() and not log.stat().st_size:
                log.unlink()
        self._workers = []
