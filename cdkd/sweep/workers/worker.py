"""A worker process: claims trials and runs them, one after the other."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

from cdkd.errors import CdkdError
from cdkd.graceful_stop import is_stop_requested, request_stop
from cdkd.sweep.display.notices import write_notice
from cdkd.sweep.queue.stale_trials import recover
from cdkd.sweep.queue.stop_request import heeding_stop_requests
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, TrialQueue
from cdkd.sweep.queue.wanted_tasks import wanted_by
from cdkd.sweep.workers.abandoned_runs import close_abandoned_runs, close_abandoned_stages
from cdkd.sweep.workers.attempt import queue_name
from cdkd.sweep.workers.beats import start_beating
from cdkd.sweep.workers.cell_runner import CellRunner
from cdkd.sweep.workers.cell_turn import CellTurn
from cdkd.sweep.workers.interruption import LEAVE, STOP, STOP_SIGNALS, catch_signals, shield
from cdkd.sweep.workers.machine_trouble import MachineTrouble
from cdkd.sweep.workers.patient_tracker import PatientTracker
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.tracked_run import error_text
from cdkd.tracking.tracker import Tracker

_SECONDS_BETWEEN_CLAIMS = 0.3


def work(
    folder: StudyFolder,
    tracker: MlflowTracker,
    runner: CellRunner,
    is_attached: bool,
    sweep: str | None = None,
    is_fresh: bool = False,
) -> None:
    """Runs trials until told to stop (attached to a sweep), or until none is left (on its own).

    Args:
        folder: the study's.
        tracker: where runs are tracked.
        runner: trains the cells.
        is_attached: a sweep, or a job of its, holds this process's standard input: it says when to end, and its death
            ends this too.
        sweep: name of the sweep whose cells alone are run; None: whatever any sweep of the folder wants.
        is_fresh: trains what other studies train or have trained.

    Raises:
        CdkdError: this process could train nothing; it has claimed nothing, or put back what it had.
        Interrupted: a signal asked to stop, or the sweep died; a run under way was ended as killed.
    """
    drained, left = threading.Event(), threading.Event()
    # Attached, only the sweep decides: control-C at its terminal reaches it, not its workers.
    catch_signals(*(number for number in STOP_SIGNALS if not (is_attached and number == signal.SIGINT)))
    if is_attached:
        # A daemon, as it sits in a read that nothing but the sweep can end.
        threading.Thread(target=_listen, args=(drained, left), daemon=True).start()
        start_beating(folder.beat(os.getpid()))
    tell = partial(write_notice, folder)
    queue, is_wanted, trouble = TrialQueue(folder), wanted_by(folder, sweep), MachineTrouble()
    patient = PatientTracker(tracker, tell)
    _require_all(queue, patient if is_attached else tracker, runner, is_wanted)
    turn = CellTurn(queue, tracker, runner, is_wanted, tell, is_fresh)
    # A sweep passes requests to stop on to its workers; others look for themselves.
    with nullcontext() if is_attached else heeding_stop_requests(folder):
        while not (drained.is_set() or is_stop_requested()):
            started = time.monotonic()
            if turn.run_next():
                drained.wait(trouble.seconds_to_wait(turn.reason, time.monotonic() - started))
            elif (not is_attached or left.is_set()) and not _is_anything_left(queue, patient):
                break
            else:
                drained.wait(_SECONDS_BETWEEN_CLAIMS)
    if not is_attached or left.is_set():
        _clean_up(queue, patient)


def _clean_up(queue: TrialQueue, tracker: Tracker) -> None:
    """What a sweep does at its end, where there is none."""
    with shield():
        close_abandoned_runs(queue, tracker, queue_name(queue))
        is_complete = all(trial.is_over for trial in queue.latest().values())
        close_abandoned_stages(queue, tracker, "finished" if is_complete else "failed")


def _require_all(
    queue: TrialQueue, tracker: Tracker, runner: CellRunner, is_wanted: Callable[[QueuedTask], bool]
) -> None:
    """Opens all that a cell needs; what fails here would fail in every cell, and is no cell's fault."""
    try:
        tracker.check()
        for trial in queue.trials():
            if trial.status == "waiting" and is_wanted(trial.task):
                runner.check(queue.cell(trial).config)
                return
    except CdkdError:
        raise
    except Exception as error:
        raise CdkdError(f"this process can train nothing: {error_text(error)}") from error


def _listen(drained: threading.Event, left: threading.Event) -> None:
    for line in sys.stdin:
        if line == STOP:
            request_stop()
        (left if line == LEAVE else drained).set()
    # The end of the stream: the sweep is gone, however it went. By a signal and not by an exception, which would end
    # this thread alone; it takes the way of every other stop.
    os.kill(os.getpid(), signal.SIGTERM)


def _is_anything_left(queue: TrialQueue, tracker: Tracker) -> bool:
    with shield():
        # A running trial of another worker may die and come back, or be a teacher that waiting cells need.
        return bool(recover(queue, tracker)) or any(trial.status == "running" for trial in queue.trials())
