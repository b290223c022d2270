"""How a study stands, read from its folder alone: nothing is locked or altered, and no sweep need run."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdkd.sweep.display.running import Running, duration_seconds, running_task, task_label
from cdkd.sweep.display.sweep_display import SweepStatus, clock, headline, seconds_left
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.study_processes import StudyProcess, last_sweep, live_processes
from cdkd.sweep.queue.trial_queue import Trial, TrialQueue


@dataclass(frozen=True)
class TaskStatus:
    """A cell or a teacher, by its last attempt."""

    label: str
    trial: Trial
    running: Running | None
    """Where it is under way."""

    @property
    def status(self) -> str:
        """One of `RunStatus`, in a user's words."""
        # A trial whose process died goes on in the next sweep or worker.
        return "interrupted" if self.trial.status == "stale" else self.trial.status


@dataclass(frozen=True)
class StudyStatus:
    """A study at one moment."""

    name: str
    tasks: tuple[TaskStatus, ...]
    processes: tuple[StudyProcess, ...]
    last_sweep: StudyProcess | None

    @property
    def running(self) -> list[Running]:
        """What is under way."""
        return [task.running for task in self.tasks if task.running is not None]

    @property
    def sweep_status(self) -> SweepStatus:
        """The counts that a sweep itself would show."""
        cells = [task.trial for task in self.tasks if task.trial.task.kind == "cell"]
        return count_cells(self.name, cells, self.running, len(self.running))


def read_status(queue: TrialQueue) -> StudyStatus:
    """How the study of a queue stands; the queue may be one for reading alone."""
    folder = queue.folder
    tasks = []
    for trial in queue.latest().values():
        label = task_label(trial.task)
        tasks.append(
            TaskStatus(label, trial, running_task(folder, trial, label) if trial.status == "running" else None)
        )
    return StudyStatus(folder.path.name, tuple(tasks), tuple(live_processes(folder)), last_sweep(folder))


def open_queue(folder: StudyFolder) -> TrialQueue:
    """A study's queue, for looking alone.

    Raises:
        CdkdError: nothing of the study has run in this folder.
    """
    return TrialQueue(folder, is_read_only=True)


def count_cells(
    study: str, cells: Sequence[Trial], running: Sequence[Running], num_workers: int, open_stages: Sequence[str] = ()
) -> SweepStatus:
    """How many of these cells are done, and how long the rest will take.

    Args:
        running: tasks under way, teachers among them.
    """
    # What was taken from the store took no time, and what was resumed only its rest: neither tells how long a cell
    # lasts. No worker has said that it was at the former.
    durations = [duration_seconds(trial) for trial in cells if trial.is_done and trial.attempt == 1 and trial.worker]
    num_waiting = sum(trial.status in ("waiting", "stale") for trial in cells)
    return SweepStatus(
        study=study,
        num_cells=len(cells),
        num_done=sum(trial.is_over for trial in cells),
        num_failed=sum(trial.status == "failed" for trial in cells),
        num_diverged=sum(trial.status == "diverged" for trial in cells),
        running=running,
        seconds_left=seconds_left(running, num_waiting, durations, num_workers),
        open_stages=open_stages,
    )


def status_text(status: StudyStatus, width: int) -> str:
    """The counts, the processes at work, and every task that is under way or went wrong."""
    lines = [headline(status.sweep_status)]
    lines += [f"  {process.kind} {process.host}:{process.pid}: {process.command}" for process in status.processes]
    if status.running and not status.processes:
        lines.append("  no sweep here; workers elsewhere are at it")
    lines += running_lines(status.running, width)
    for task in status.tasks:
        if task.status in ("failed", "diverged", "interrupted"):
            lines.append(f"  {task.trial.task.id[:12]:<12}  {task.status}: {task.label}")
            if task.trial.error:
                lines.append(f"  {'':12}  {task.trial.error}")
    others = Counter(task.status for task in status.tasks if task.trial.task.kind == "teacher")
    if others:
        lines.append("  teachers: " + ", ".join(f"{number} {name}" for name, number in others.items()))
    return "\n".join(lines) + "\n"


def running_lines(running: Sequence[Running], width: int) -> list[str]:
    """A line or two for each task under way: the numbers below the name where a line has no room for both."""
    lines = []
    for task in running:
        name, numbers = f"  {task.task[:12]:<12}  {task.label}", "  ".join([*task_numbers(task), task.worker])
        is_wide = len(name) + 2 + len(numbers) <= width
        lines += [f"{name}  {numbers}"] if is_wide else [name, f"  {'':12}  {numbers}"]
    return lines


def task_numbers(task: Running) -> list[str]:
    """Epoch, loss, last validation and time left, as far as they are known."""
    found = [task.stage_text]
    if task.loss is not None:
        found.append(f"loss {task.loss:.3f}")
    if task.validation is not None:
        found.append(f"validation {task.validation:.1f} %")
    if task.progress is not None and task.progress.seconds_left is not None:
        found.append(f"{clock(task.progress.seconds_left)} left")
    return found


def status_record(status: StudyStatus) -> dict[str, Any]:
    """The same for programs, with every task."""
    counts = status.sweep_status
    return {
        "study": status.name,
        "cells": counts.num_cells,
        "done": counts.num_done,
        "failed": counts.num_failed,
        "running": len(counts.running),
        "seconds_left": counts.seconds_left,
        "processes": [vars(process) for process in status.processes],
        "last_sweep": None if status.last_sweep is None else vars(status.last_sweep),
        "tasks": [_task_record(task) for task in status.tasks],
    }


def _task_record(task: TaskStatus) -> dict[str, Any]:
    trial, running = task.trial, task.running
    record: dict[str, Any] = {
        "id": trial.task.id,
        "kind": trial.task.kind,
        "stage": trial.task.stage,
        "label": task.label,
        "labels": dict(trial.task.labels),
        "seed": trial.task.seed,
        "status": task.status,
        "attempt": trial.attempt,
        "run_id": trial.run_id,
        "worker": trial.worker,
        "seconds": duration_seconds(trial),
        "metrics": dict(trial.metrics) if trial.is_done else {},
        "error": trial.error,
    }
    if running is not None:
        progress = running.progress
        record |= {
            "phase": None if progress is None else progress.phase,
            "fraction": None if progress is None else progress.fraction,
            "seconds_left": None if progress is None else progress.seconds_left,
            "epoch": running.epoch,
            "epochs": running.num_epochs,
            "loss": running.loss,
            "validation_top1": running.validation,
        }
    return record
