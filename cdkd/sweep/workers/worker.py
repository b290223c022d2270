"""A worker process: claims trials and runs them, one after the other."""

import os
import signal
import sys
import threading

from cdkd.sweep.queue.stale_trials import recover
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import TrialQueue
from cdkd.sweep.workers.attempt import run_claim
from cdkd.sweep.workers.cell_runner import CellRunner
from cdkd.sweep.workers.interruption import catch_signals, shield
from cdkd.tracking.tracker import Tracker

DRAIN = "drain\n"
"""What a sweep writes to a worker's standard input: claim nothing more, and end."""

_SECONDS_BETWEEN_CLAIMS = 0.3


def work(folder: StudyFolder, tracker: Tracker, runner: CellRunner, is_attached: bool) -> None:
    """Runs trials until told to stop (attached to a sweep), or until none is left (on its own).

    Args:
        folder: the study's.
        tracker: where runs are tracked.
        runner: trains the cells.
        is_attached: a sweep holds this process's standard input: it says when to end, and its death ends this too.

    Raises:
        Interrupted: SIGTERM or SIGINT came, or the sweep died; a run under way was ended as killed.
    """
    drained = threading.Event()
    # Attached, only the sweep decides: control-C at its terminal reaches it, not its workers.
    catch_signals(signal.SIGTERM, *(() if is_attached else (signal.SIGINT,)))
    if is_attached:
        # A daemon, as it sits in a read that nothing but the sweep can end.
        threading.Thread(target=_listen, args=(drained,), daemon=True).start()
    queue = TrialQueue(folder)
    while not drained.is_set():
        # A signal between taking the lock and getting the claim would leave a trial that this process runs without
        # knowing it.
        with shield():
            claim = queue.claim()
        if claim is not None:
            run_claim(queue, claim, tracker, runner)
        elif not is_attached and not _is_anything_left(queue, tracker):
            return
        else:
            drained.wait(_SECONDS_BETWEEN_CLAIMS)


def _listen(drained: threading.Event) -> None:
    # An empty line is the end of the stream: the sweep is gone, however it went.
    if sys.stdin.readline() == DRAIN:
        drained.set()
    else:
        # By a signal and not by an exception, which would end this thread alone; it takes the way of every other stop.
        os.kill(os.getpid(), signal.SIGTERM)


def _is_anything_left(queue: TrialQueue, tracker: Tracker) -> bool:
    with shield():
        # A running trial of another worker may die and come back, or be a teacher that waiting cells need.
        return bool(recover(queue, tracker)) or any(trial.status == "running" for trial in queue.trials())
