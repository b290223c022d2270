"""Worker processes on this machine: started, replaced when they are killed, drained, stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cdkd.errors import CdkdError
from cdkd.sweep.interruption import DRAIN, READY, STOP
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.workers.beats import Pulse
from cdkd.sweep.workers.places import Places

_GRACE_SECONDS = 3.0
"""What a worker gets to record that it was stopped, before it is killed."""

_SECONDS_TO_LEAVE = 10.0
"""What a worker gets to end the run of a settled task, once nothing is left to do."""

_MAX_REPLACEMENTS_IN_A_ROW = 10
"""Killed workers are replaced so often without any task ending; then something is wrong with the machine."""
_SECONDS_OF_A_USEFUL_LIFE = 60.0
"""One that was killed after so long had trained: whatever kills workers now and then is survived for ever."""

_SECONDS_BEFORE_RESTARTS = (1.0, 5.0)
"""How long a worker that ended by itself waits for its next try; after the last one it is given up."""


_SECONDS_UNTIL_TOLD = 30.0
"""Without a sign of life, until a worker is told of."""
_SECONDS_UNTIL_KILLED = 300.0
"""Without a sign of life, until it is killed, so that another may go on."""


@dataclass
class _Worker:
    name: str
    process: "subprocess.Popen[str]"
    pulse: Pulse
    is_still: bool = False
    """It was told of."""
    num_exits: int = 0
    """How often it ended by itself since a task ended."""
    started: float = field(default_factory=time.monotonic)
    """When its process was started, on the monotonic clock."""
    restart_at: float | None = None
    """When the next try is due, on the monotonic clock; None while the process runs."""


def command_of(folder: StudyFolder, tracking_uri: str, runner: str, options: Sequence[str]) -> list[str]:
    """The command line of a worker; -P keeps files of the working directory from passing for modules."""
    command = [sys.executable, "-P", "-m", "cdkd", "worker", str(folder.path), "--attached"]
    return [*command, "--tracking-uri", tracking_uri, "--runner", runner, *options]


class Workers:
    """A group of worker processes of one study.

    Args:
        folder: the study's.
        tracking_uri: where they track.
        runner: `module:name` of the object that trains the cells.
        places: what each of them gets of this machine.
        options: further ones of their command line.
    """

    def __init__(
        self,
        folder: StudyFolder,
        tracking_uri: str,
        runner: str,
        places: Places,
        options: Sequence[str] = (),
    ) -> None:
        self._folder = folder
        self._uri = tracking_uri
        self._runner = runner
        self._places = places
        self._options = options
        self._given_up: list[_Worker] = []
        self._workers: list[_Worker] = []
        self._early: subprocess.Popen[str] | None = None
        """Started, and not needed yet."""
        self._is_draining = False
        self._replacements = 0

    def __len__(self) -> int:
        return len(self._workers)

    def start_early(self) -> None:
        """Starts the first process before there is anything to do: importing what it needs takes it seconds."""
        self._early = self._spawn("0", "--early")

    def start(self, count: int) -> None:
        """Brings the group to `count` processes."""
        for index in range(len(self._workers) + len(self._given_up), count):
            early, self._early = self._early, None
            process = self._spawn(str(index)) if early is None else early
            if early is not None:
                # Where it has died meanwhile, `watch` sees it.
                with contextlib.suppress(BrokenPipeError):
                    assert early.stdin is not None
                    early.stdin.write(READY)
                    early.stdin.flush()
            self._workers.append(_Worker(str(index), process, self._pulse(process)))

    def _pulse(self, process: "subprocess.Popen[str]") -> Pulse:
        return Pulse(self._folder.beat(process.pid))

    def _log(self, name: str) -> Path:
        return self._folder.worker_log(f"{os.getpid()}-{name}")

    def _spawn(self, name: str, *options: str) -> "subprocess.Popen[str]":
        log = self._log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        # Appended to: a replacement must not erase why the worker before it died. The parent's own handle closes here.
        with log.open("a", encoding="utf-8") as output:
            return subprocess.Popen(
                command_of(self._folder, self._uri, self._runner, [*self._options, *options]),
                # Carries one word at most; that it closes when this process dies is what ends an orphaned worker.
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._places.environment(int(name)),
                text=True,
                # Control-C reaches the sweep alone, which then stops its workers in good order.
                start_new_session=True,
            )

    def watch(self) -> list[str]:
        """Replaces workers that were killed or ended by themselves; returns what to tell of them.

        Raises:
            CdkdError: no worker can run, or they are killed again and again.
        """
        if self._is_draining:
            return []
        told = []
        for worker in list(self._workers):
            if worker.restart_at is not None:
                if time.monotonic() >= worker.restart_at:
                    self._start_again(worker)
            elif (code := worker.process.poll()) is not None:
                # A negative code is a signal: nobody's fault in particular, and worth another try at once. An exit of
                # its own says that this worker can train nothing now: it tries again later, and not for ever.
                told.append(self._replace_killed(worker, -code) if code < 0 else self._restart_later(worker, code))
            else:
                told += self._look_for_life(worker)
        return told

    def _start_again(self, worker: _Worker) -> None:
        worker.process, worker.restart_at, worker.is_still = self._spawn(worker.name), None, False
        worker.pulse, worker.started = self._pulse(worker.process), time.monotonic()

    def _look_for_life(self, worker: _Worker) -> list[str]:
        """Kills a worker that has hung for long; its end is met with at the next look."""
        seconds = worker.pulse.seconds_still()
        who = f"worker {worker.name} (process {worker.process.pid})"
        if seconds > _SECONDS_UNTIL_KILLED:
            worker.process.kill()
            worker.process.wait()
            return [f"{who} has not moved for {seconds:.0f} s; killed"]
        was_still, worker.is_still = worker.is_still, seconds > _SECONDS_UNTIL_TOLD
        if worker.is_still and not was_still:
            limit = f"{_SECONDS_UNTIL_KILLED:.0f}"
            return [f"{who} has not moved for {seconds:.0f} s; was it stopped? It is killed after {limit} s"]
        return [f"{who} moves again"] if was_still and not worker.is_still else []

    def _replace_killed(self, worker: _Worker, number: int) -> str:
        is_useful = time.monotonic() - worker.started > _SECONDS_OF_A_USEFUL_LIFE
        self._replacements = 0 if is_useful else self._replacements + 1
        if self._replacements > _MAX_REPLACEMENTS_IN_A_ROW:
            log = self._log(worker.name)
            where = f"See {log}" if log.exists() and log.stat().st_size else "They have printed nothing"
            raise CdkdError(f"workers are killed again and again (signal {number}); is memory short? {where}")
        self._start_again(worker)
        return f"worker {worker.name} was killed by signal {number}; started another"

    def _restart_later(self, worker: _Worker, code: int) -> str:
        log = self._log(worker.name)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        reason = next((line.strip() for line in reversed(lines) if line.strip()), "it has printed nothing")
        text = f"worker {worker.name} ended by itself (exit status {code}): {reason}"
        worker.num_exits += 1
        if worker.num_exits <= len(_SECONDS_BEFORE_RESTARTS):
            seconds = _SECONDS_BEFORE_RESTARTS[worker.num_exits - 1]
            worker.restart_at = time.monotonic() + seconds
            return f"{text}; next try in {seconds:.0f} s"
        self._workers.remove(worker)
        self._given_up.append(worker)
        # Where others go on, so does the sweep, with fewer.
        if not self._workers:
            tail = "\n".join(lines[-15:])
            raise CdkdError(f"no worker can run. {text}; {log} ends:\n{tail}")
        return f"{text}; given up, see {log}"

    def note_success(self) -> None:
        """A task ended: the workers do work."""
        self._replacements = 0
        for worker in self._workers:
            worker.num_exits = 0

    def wait(self, seconds: float) -> None:
        """Lets them work."""
        time.sleep(seconds)

    def drain(self) -> None:
        """Asks every worker to end after the task under way."""
        self._tell(DRAIN)

    def stop_at_checkpoint(self) -> None:
        """Asks every worker to end after the epoch under way, with a checkpoint."""
        self._tell(STOP)

    def _tell(self, word: str) -> None:
        self._is_draining = True
        for worker in self._workers:
            # A worker that is already gone needs no telling.
            with contextlib.suppress(BrokenPipeError, ValueError):
                assert worker.process.stdin is not None
                worker.process.stdin.write(word)
                worker.process.stdin.flush()

    def has_ended(self) -> bool:
        """Every worker has ended."""
        return all(worker.process.poll() is not None for worker in self._workers)

    def leave(self) -> None:
        """See `Launcher`.

        A worker that is cut short here leaves a run without an end, and the cell free: another study that waits for it
        would find no result, and train it once more.
        """
        self.drain()
        deadline = time.monotonic() + _SECONDS_TO_LEAVE
        for worker in self._workers:
            # Who gives no sign of life yet has taken nothing; its imports are not waited for.
            if worker.pulse.has_begun:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    worker.process.wait(max(0.0, deadline - time.monotonic()))

    def stop(self) -> None:
        """Ends every worker now; runs under way are recorded as killed and resume in the next sweep."""
        self._is_draining = True
        if self._early is not None:
            # It has claimed nothing: there is nothing to record.
            self._early.kill()
            self._workers.append(_Worker("0", self._early, self._pulse(self._early)))
            self._early = None
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
            worker.pulse.file.unlink(missing_ok=True)
            log = self._log(worker.name)
            # Most workers print nothing, and a folder of empty logs would hide the one that matters.
            if log.exists() and not log.stat().st_size:
                log.unlink()
        self._workers = []
