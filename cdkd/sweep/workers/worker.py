"""A worker process: claims trials and runs them, one after the other."""

import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial

from cdkd.errors import CdkdError
from cdkd.graceful_stop import is_stop_requested, request_stop
from cdkd.sweep.display.event_log import EventLog
from cdkd.sweep.display.notices import write_notice
from cdkd.sweep.display.running import task_label
from cdkd.sweep.display.sweep_display import LineDisplay
from cdkd.sweep.interruption import LEAVE, READY, STOP, STOP_SIGNALS, catch_signals, shield
from cdkd.sweep.queue.stale_trials import recover
from cdkd.sweep.queue.stop_request import heeding_stop_requests
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, Trial, TrialQueue
from cdkd.sweep.queue.wanted_tasks import wanted_by
from cdkd.sweep.workers.abandoned_runs import close_abandoned_runs, close_abandoned_stages
from cdkd.sweep.workers.attempt import queue_name
from cdkd.sweep.workers.beats import start_beating
from cdkd.sweep.workers.cell_runner import CellRunner
from cdkd.sweep.workers.cell_turn import CellTurn
from cdkd.sweep.workers.machine_trouble import MachineTrouble
from cdkd.sweep.workers.patient_tracker import PatientTracker
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.store import preload
from cdkd.tracking.tracked_run import error_text
from cdkd.tracking.tracker import Tracker

_SECONDS_BETWEEN_CLAIMS = 0.3


def _everything(task: QueuedTask) -> bool:
    return True


@dataclass(frozen=True)
class WorkerOptions:
    """What a worker takes from the queue of its study, and how."""

    is_chosen: Callable[[QueuedTask], bool] = _everything
    """Tasks besides are left to others."""
    is_fresh: bool = False
    """Trains what other studies train or have trained."""
    stop_on_failure: bool = False
    """It takes nothing more once a task of its own has failed."""


def work(
    folder: StudyFolder,
    tracker: MlflowTracker,
    runner: CellRunner,
    is_attached: bool,
    sweep: str | None = None,
    options: WorkerOptions = WorkerOptions(),
    is_early: bool = False,
) -> None:
    """Runs trials until told to stop (attached to a sweep), or until none is left (on its own).

    Args:
        folder: the study's.
        tracker: where runs are tracked.
        runner: trains the cells.
        is_attached: a sweep, or a job of its, holds this process's standard input: it says when to end, and its death
            ends this too.
        sweep: name of the sweep whose cells alone are run; None: whatever any sweep of the folder wants.
        options: what of the queue it takes, and how.
        is_early: the sweep is not ready yet; it says when it is, and meanwhile this process imports what it needs.

    Raises:
        CdkdError: this process could train nothing; it has claimed nothing, or put back what it had.
        Interrupted: a signal asked to stop, or the sweep died; a run under way was ended as killed.
    """
    drained, left, ready = threading.Event(), threading.Event(), threading.Event()
    # Attached, only the sweep decides: control-C at its terminal reaches it, not its workers.
    catch_signals(*(number for number in STOP_SIGNALS if not (is_attached and number == signal.SIGINT)))
    if is_attached:
        # A daemon, as it sits in a read that nothing but the sweep can end.
        threading.Thread(target=_listen, args=(drained, {LEAVE: left, READY: ready}), daemon=True).start()
        start_beating(folder.beat(os.getpid()))
    if is_early:
        _preload(tracker.uri, runner)
        ready.wait()
    tell = partial(write_notice, folder)
    queue, trouble = TrialQueue(folder), MachineTrouble()
    is_asked = wanted_by(folder, sweep)

    def is_wanted(task: QueuedTask) -> bool:
        return is_asked(task) and options.is_chosen(task)

    patient = PatientTracker(tracker, tell)
    _require_all(queue, patient if is_attached else tracker, runner, is_wanted)
    # A sweep tells of its workers' cells itself; what these print goes to their logs.
    events = None if is_attached else WorkerEvents(queue)
    turn = CellTurn(queue, tracker, runner, is_wanted, tell, options.is_fresh, events)
    # A sweep passes requests to stop on to its workers; others look for themselves.
    with nullcontext() if is_attached else heeding_stop_requests(folder):
        while not (drained.is_set() or is_stop_requested()):
            started = time.monotonic()
            if turn.run_next():
                if options.stop_on_failure and events is not None and events.num_failed:
                    break
                drained.wait(trouble.seconds_to_wait(turn.reason, time.monotonic() - started))
            elif (not is_attached or left.is_set()) and not is_anything_left(queue, patient, options.is_chosen):
                break
            else:
                drained.wait(_SECONDS_BETWEEN_CLAIMS)
    if not is_attached or left.is_set():
        clean_up(queue, patient)


class WorkerEvents:
    """Tells on the terminal of a worker of its own what it begins and what comes of that."""

    def __init__(self, queue: TrialQueue) -> None:
        self._events = EventLog(LineDisplay(), queue.folder, queue.trials())

    def __call__(self, trial: Trial) -> None:
        """A trial of this worker's has been begun, or has ended."""
        self._events.labels.setdefault(trial.task.id, task_label(trial.task))
        self._events.log_changes({trial.task.id: trial})

    @property
    def num_failed(self) -> int:
        """Of its tasks."""
        return self._events.num_failed


def clean_up(queue: TrialQueue, tracker: Tracker) -> None:
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


def _preload(tracking_uri: str, runner: CellRunner) -> None:
    # What cannot be imported is told, or not, by what needs it.
    with suppress(Exception):
        importlib.import_module("cdkd.sweep.queue.journal_storage")
        preload(tracking_uri)
        runner.preload()


def _listen(drained: threading.Event, others: Mapping[str, threading.Event]) -> None:
    for line in sys.stdin:
        if line == STOP:
            request_stop()
        others.get(line, drained).set()
    # The end of the stream: the sweep is gone, however it went. By a signal and not by an exception, which would end
    # this thread alone; it takes the way of every other stop.
    os.kill(os.getpid(), signal.SIGTERM)


def is_anything_left(queue: TrialQueue, tracker: Tracker, is_chosen: Callable[[QueuedTask], bool]) -> bool:
    """Somebody else is at a task that may come back, or that others wait for."""
    with shield():
        # A running trial of another worker may die and come back, or be a teacher that waiting cells need.
        recovered = recover(queue, tracker)
        running = [trial for trial in queue.trials() if trial.status == "running"]
        return any(is_chosen(trial.task) for trial in [*running, *(trial for trial, _ in recovered)])
