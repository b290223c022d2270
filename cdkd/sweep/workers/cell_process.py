"""One of the processes that train a cell together, as torchrun starts it: `-m cdkd.sweep.workers.cell_process JOB`."""

import json
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from cdkd.callbacks import Log, RunPhase, RunProgress, silent
from cdkd.config import build_record
from cdkd.graceful_stop import StoppedAtCheckpoint, request_stop
from cdkd.settings import RunConfig
from cdkd.sweep.workers.cell_group import MAX_PACKET_BYTES, STOP, outcome_record
from cdkd.sweep.workers.cell_runner import CellRunner, load_runner
from cdkd.sweep.workers.machine_errors import machine_reason
from cdkd.tracking.tracked_run import error_text

_SECONDS_BETWEEN_PROGRESS = 0.5
_MAX_TEXT = MAX_PACKET_BYTES // 4
"""Of an error or its traceback; JSON writes some letters as several."""


class _Line:
    """The socket to the worker, which every process has as its standard input."""

    def __init__(self) -> None:
        self._socket = socket.socket(fileno=os.dup(0))
        self._last_progress = 0.0
        threading.Thread(target=_end_with_worker, args=(self._socket.fileno(),), daemon=True).start()

    def send(self, **packet: Any) -> None:
        self._socket.send(json.dumps(packet).encode())

    def log(self, metrics: dict[str, float], epoch: int) -> None:
        self.send(log=metrics, epoch=epoch)
        # Only then does the training write its checkpoint: killed in between, it repeats an epoch and misses none.
        if self._socket.recv(MAX_PACKET_BYTES) == STOP:
            request_stop()

    def progress(self, fraction: float, /, phase: RunPhase = "training") -> None:
        now = time.monotonic()
        if now - self._last_progress >= _SECONDS_BETWEEN_PROGRESS or fraction >= 1.0:
            self._last_progress = now
            self.send(progress=fraction, phase=phase)


def _end_with_worker(descriptor: int) -> None:
    """Ends this process once the worker has closed its end, in whatever it is; checkpoints are whole or not there."""
    poller = select.poll()
    # No events asked for: a hang-up is told all the same, and packets to read are left to who waits for them.
    poller.register(descriptor, 0)
    poller.poll()
    os._exit(1)


def _not_logged(metrics: dict[str, float], epoch: int) -> None:
    """What processes other than the first log."""


def main(job_file: Path) -> None:
    """Trains, and tells the worker what came of it; a failure ends this process with 1."""
    # A signal to all processes is to end this one at once; the worker settles the run.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    line = _Line()
    try:
        job = json.loads(job_file.read_text(encoding="utf-8"))
        is_first = os.environ["RANK"] == "0"
        line.send(started=os.environ["RANK"])
        runner = load_runner(job["runner"])
        result: dict[str, Any] | None = _train(runner, job, line if is_first else None)
    except StoppedAtCheckpoint:
        result = None
    except Exception as error:
        text, trace = error_text(error)[:_MAX_TEXT], traceback.format_exc()[-_MAX_TEXT:]
        line.send(error=text, traceback=trace, machine=machine_reason(error))
        # Not by the way of all exits: giving back what the processes share can wait for the others for ever.
        sys.stderr.flush()
        os._exit(1)
    if is_first:
        line.send(**({"stopped": True} if result is None else {"result": result}))


def _train(runner: CellRunner, job: dict[str, Any], line: _Line | None) -> dict[str, Any]:
    config = build_record(RunConfig, job["config"])
    log: Log = line.log if line is not None else _not_logged
    progress: RunProgress = line.progress if line is not None else silent
    if job["method"] == "ensure_teacher":
        return {"checkpoint": str(Path(runner.ensure_teacher(config, log, progress)).resolve())}
    return outcome_record(runner.run(config, Path(job["folder"]), log, progress))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
