"""Cells that several processes train together: a runner that starts them by torchrun and hears of their first one.

    worker (claims, tracks)                    torchrun --nproc-per-node N
      |                                          |
      |                                          +-- process 0   trains, evaluates, writes checkpoints
      |<== log, progress, result, failure =======|     :
      |==== heard ==============================>|     :         exchange gradients
      |                                          |     :
      |                                          +-- process N-1 trains, evaluates
      |
      +-- Optuna's journal, the tracking store: as for a cell of one process

The worker alone knows queue and tracking store. What it shares with the processes is their standard input, one end of a
socket whose packets keep their borders, so that any of them can send. It is their lifeline too: when the worker goes,
however it went, the other end closes and they end. A signal that kills one of them kills the worker as well, as it
would one that trains by itself, and stale-trial recovery does the rest.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cdkd.callbacks import Log, RunProgress
from cdkd.errors import CdkdError
from cdkd.graceful_stop import StoppedAtCheckpoint, is_stop_requested
from cdkd.settings import RunConfig
from cdkd.sweep.workers.cell_runner import CellRunner, load_runner
from cdkd.sweep.workers.machine_errors import MachineError
from cdkd.tracking.tracker import Outcome

MAX_PACKET_BYTES = 100_000
"""Half of what a socket takes at once as Linux sets it up."""
HEARD, STOP = b"heard", b"stop"
"""Answer a log: what was logged is kept before the training goes on, and writes its checkpoint; or ends behind it."""

_SECONDS_BETWEEN_LOOKS = 0.5
_GRACE_SECONDS = 1.0
"""What torchrun gets to see that its processes have ended, before it is killed; they have ended by themselves."""


def make_runner(reference: str, num_processes: int, import_folder: str | None = None) -> CellRunner:
    """The runner of `load_runner`, whose trainings are shared by `num_processes` where there are several.

    Raises:
        CdkdError: there is none.
    """
    runner = load_runner(reference, import_folder)
    return runner if num_processes == 1 else CellGroup(runner, reference, num_processes)


class CellGroup:
    """A `CellRunner` whose trainings are torchrun's.

    Args:
        runner: does what takes one process.
        reference: `module:name` by which the processes find it.
        num_processes: of each training.
    """

    def __init__(self, runner: CellRunner, reference: str, num_processes: int) -> None:
        self._reference = reference
        self._num_processes = num_processes
        self._runner = runner
        self.prepare_data = runner.prepare_data
        self.has_teacher = runner.has_teacher
        self.teacher_outcome = runner.teacher_outcome
        self.teacher_validation = runner.teacher_validation

    def preload(self) -> None:
        """See `CellRunner`."""
        self._runner.preload()

    def check(self, config: RunConfig) -> None:
        """See `CellRunner`; the GPUs are left to the processes, beside which this one would only take memory."""
        runtime = config.runtime.model_copy(update={"device": "cpu"})
        self._runner.check(config.model_copy(update={"runtime": runtime}))

    def take_teacher(self, config: RunConfig, checkpoint: Path) -> None:
        """See `CellRunner`."""
        self._runner.take_teacher(config, checkpoint)

    def ensure_teacher(self, config: RunConfig, log: Log, progress: RunProgress) -> Path:
        """See `CellRunner`."""
        return Path(self._train("ensure_teacher", config, None, log, progress)["checkpoint"])

    def run(self, config: RunConfig, folder: Path, log: Log, progress: RunProgress) -> Outcome:
        """See `CellRunner`."""
        result = self._train("run", config, folder.resolve(), log, progress)
        artifacts = {name: Path(file) for name, file in result["artifacts"].items()}
        return Outcome(result["status"], result["metrics"], artifacts, result["metadata"])

    def _train(
        self, method: str, config: RunConfig, folder: Path | None, log: Log, progress: RunProgress
    ) -> dict[str, Any]:
        """What the first process has as its result.

        Raises:
            MachineError: any of them failed by no fault of the cell's.
        StoppedAtCheckpoint: this process was asked to stop, and they have.
        CdkdError: any of them failed; its cause holds that process's traceback.
        """
        with TemporaryDirectory(prefix="cdkd-cell-") as place:
            job = Path(place) / "job.json"
            values = {"runner": self._reference, "method": method, "config": config.model_dump(mode="json")}
            job.write_text(json.dumps({**values, "folder": None if folder is None else str(folder)}), encoding="utf-8")
            with _launched(job, self._num_processes) as (line, torchrun):
                has_begun = False
                for packet in _packets(line, torchrun):
                    has_begun = True
                    if "log" in packet:
                        log(packet["log"], packet["epoch"])
                        # Where this process was asked to stop, the training is: it ends behind its next checkpoint.
                        line.send(STOP if is_stop_requested() else HEARD)
                    elif "progress" in packet:
                        progress(packet["progress"], packet["phase"])
                    elif "stopped" in packet:
                        raise StoppedAtCheckpoint
                    elif "error" in packet:
                        # The first one is the cause; the others then fail at their next exchange.
                        remote = _Remote(packet["traceback"])
                        if packet["machine"] is not None:
                            raise MachineError(packet["machine"]) from remote
                        raise CdkdError(packet["error"]) from remote
                    elif "result" in packet:
                        result: dict[str, Any] = packet["result"]
                        return result
        if not has_begun:
            raise CdkdError("torchrun ended before any process of the cell had begun; the worker's log has its words")
        # torchrun does not say by which signal. The hardest one is what the kernel sends where memory is short.
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a killed process went on")


class _Remote(Exception):
    """Shows a traceback of another process as the cause of an error."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


@contextmanager
def _launched(job: Path, num_processes: int) -> Iterator[tuple[socket.socket, "subprocess.Popen[bytes]"]]:
    """torchrun and our end of its processes' standard input; at the end both are gone."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    module = "cdkd.sweep.workers.cell_process"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(num_processes)]
    # Safe path: files of the working directory must not pass for modules, as -P has it for one process.
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": paths}
    try:
        with theirs:
            torchrun = subprocess.Popen(
                [*command, "-m", module, str(job)],
                stdin=theirs.fileno(),
                env=environment,
                # Control-C at a terminal reaches the sweep alone.
                start_new_session=True,
            )
    except BaseException:
        ours.close()
        raise
    try:
        yield ours, torchrun
    finally:
        ours.close()
        try:
            torchrun.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            torchrun.kill()
            torchrun.wait()


def _packets(line: socket.socket, torchrun: "subprocess.Popen[bytes]") -> Iterator[dict[str, Any]]:
    """What the processes send, until they are gone."""
    line.settimeout(_SECONDS_BETWEEN_LOOKS)
    while True:
        try:
            packet = line.recv(MAX_PACKET_BYTES)
        except TimeoutError:
            # A timeout means that nothing waits to be read: what an ended one had sent was read before.
            if torchrun.poll() is not None:
                return
            continue
        except ConnectionResetError:
            return
        if not packet:
            return
        yield json.loads(packet)


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON can hold it."""
    record = asdict(outcome)
    return {**record, "artifacts": {name: str(Path(file).resolve()) for name, file in outcome.artifacts.items()}}
