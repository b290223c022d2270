"""What a job of a cluster does: it runs one worker process, and passes on what scheduler and sweep want of it.

    scheduler                      this process (started by submitit)           the worker (`cdkd worker`)
    SIGUSR2, before the time  -->  writes "stop" to it, waits,             -->  ends behind its epoch, with a
    limit or a preemption          asks to be queued again                      checkpoint; the cell waits again
    SIGTERM to all of the job -->  asks to be queued again, unless the     -->  ends now; the cell goes back to its last
                                   job was cancelled                            checkpoint
    the sweep's order         -->  passes it on                            -->  ends, and the job with it

The worker holds this process's pipe as its standard input, and ends when that closes: however the job ends, no worker
is left behind. submitit's process itself ignores SIGTERM, so that it lives to see its worker end.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from cdkd.capacity import CORES_OF_CELL, num_cores
from cdkd.sweep.interruption import DRAIN, LEAVE, STOP
from cdkd.sweep.queue.job_group import JobGroup
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.workers.beats import Pulse

_SECONDS_BETWEEN_LOOKS = 0.25
_SECONDS_UNTIL_ALONE = 300.0
"""Without a sign of life of the sweep, until its jobs take it for gone."""
_STOPPED_BY = {-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, -signal.SIGUSR1, -signal.SIGUSR2}
_WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)
_SECONDS_TO_BE_REQUEUED = 60.0


@dataclass(frozen=True)
class JobEnd:
    """How a job's worker ended."""

    code: int
    """Exit status; negative: the signal that killed it."""
    words: str
    """The last line that it printed."""


@dataclass
class WorkerJob:
    """Called in the job; pickled there by submitit.

    Args:
        command: of the worker, which a sweep is to hold (`--attached`).
        environment: of the worker, besides the job's own.
        group: folder of the job's group.
        log: file for what the worker prints; `%j` stands for the job's id.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    group: Path
    log: str
    _child: "subprocess.Popen[str] | None" = field(default=None, repr=False)
    _said: str = ""

    def __call__(self) -> JobEnd:
        """Until the worker ends."""
        log = Path(self.log.replace("%j", job_id()))
        log.parent.mkdir(parents=True, exist_ok=True)
        # A warning that comes now waits: `checkpoint` has to know the worker, and what it raises in the middle of a
        # fork would be lost.
        with log.open("a", encoding="utf-8") as output, _warnings_put_off():
            self._child = child = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, text=True,
                env={**os.environ, **self.environment, CORES_OF_CELL: str(_num_cores())},
                # Warnings go to all processes of a job, and would kill whichever knows nothing of them: data loaders,
                # or processes that train together. This one alone hears them. What ignores a signal passes that on.
                preexec_fn=_ignore_warnings,
            )  # fmt: skip
        group, sweep = JobGroup(self.group), Pulse(JobGroup(self.group).beat)
        try:
            while not _has_ended(child):
                if order := group.order:
                    self._say(STOP if order == "stop" else DRAIN)
                elif sweep.seconds_still() > _SECONDS_UNTIL_ALONE:
                    self._say(LEAVE)
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        except KeyboardInterrupt:
            child.terminate()
            raise
        code = child.wait()
        StudyFolder(self.group.parent.parent).beat(child.pid).unlink(missing_ok=True)
        if code in _STOPPED_BY and not group.order and _is_wanted():
            _requeue()
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        if not lines:
            # Most workers print nothing, and a folder of empty logs would hide the one that matters.
            log.unlink(missing_ok=True)
        return JobEnd(code, next((line.strip() for line in reversed(lines) if line.strip()), ""))

    def checkpoint(self) -> Any:
        """Called by submitit on a warning; what it returns is run when the job begins again."""
        from submitit.helpers import DelayedSubmission

        self._say(STOP)
        # It may be at a long epoch. Where that takes it past the time limit, the scheduler ends it before.
        while self._child is not None and not _has_ended(self._child):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        # Its end was ordered while it was at work: then there is nothing to come back for.
        if JobGroup(self.group).order:
            return None
        return DelayedSubmission(replace(self, _child=None, _said=""))

    def _say(self, word: str) -> None:
        # Leaving may turn into draining, draining into stopping; none is said twice.
        if self._child is None or word == self._said:
            return
        self._said = word
        with suppress(BrokenPipeError, ValueError):
            assert self._child.stdin is not None
            self._child.stdin.write(word)
            self._child.stdin.flush()


@contextmanager
def _warnings_put_off() -> Iterator[None]:
    signal.pthread_sigmask(signal.SIG_BLOCK, _WARNINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WARNINGS)


def _ignore_warnings() -> None:
    for number in _WARNINGS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WARNINGS)


def _has_ended(child: "subprocess.Popen[str]") -> bool:
    # Neither `poll` nor `wait`: they hold a lock, and a warning may call `checkpoint` in the midst of one of them.
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return child.returncode is not None or os.waitid(os.P_PID, child.pid, flags) is not None


def _num_cores() -> int:
    """Cores of the job: what it was given, where the kernel does not keep it to that."""
    given = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(num_cores(), int(given)) if given.isdigit() else num_cores()


def job_id() -> str:
    """The id of this job, as its scheduler's commands take it."""
    from submitit import JobEnvironment

    return str(JobEnvironment().job_id)


def _is_wanted() -> bool:
    """Nobody has cancelled the job, and its scheduler is not about to start it again by itself."""
    number = os.environ.get("SLURM_JOB_ID")
    if number is None:
        return False
    command = ["squeue", "--noheader", "--jobs", number, "--format", "%T"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    # While a cancelled job is waited for it is COMPLETING, and so is one that is being preempted by requeuing.
    return found.stdout.strip() == "RUNNING"


def _requeue() -> NoReturn:
    subprocess.run(["scontrol", "requeue", os.environ["SLURM_JOB_ID"]], check=True, capture_output=True)
    # No result is to be written, which would say that the job is over. The scheduler ends this process.
    time.sleep(_SECONDS_TO_BE_REQUEUED)
    sys.exit(1)
