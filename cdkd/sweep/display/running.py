"""A task under way, as its worker's files tell of it: epoch, loss, last validation, time left."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdkd.config import merge_dotted
from cdkd.metric_names import TRAIN_LOSS, VALIDATION_TOP1, current_names
from cdkd.sweep.display.progress import TaskProgress, read_progress
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, Trial
from cdkd.tracking.tracker import label_text

_TAIL_BYTES = 65536
"""Of a book of metrics, many epochs."""


@dataclass(frozen=True)
class Running:
    """A task under way."""

    label: str
    progress: TaskProgress | None
    seconds: float
    """Since it was claimed."""
    epoch: int = 0
    """Under way, from 1; 0 where nothing is known of epochs."""
    num_epochs: int = 0
    loss: float | None = None
    """The last epoch's mean."""
    validation: float | None = None
    """Top-1 of the last validation, in percent."""
    worker: str = ""
    """host:pid."""
    task: str = ""
    """Its id."""

    @property
    def stage_text(self) -> str:
        """What it does now: `epoch 3/20`, `testing`."""
        if self.progress is None:
            return "starting"
        if self.progress.phase == "testing":
            return f"testing {self.progress.fraction:.0%}"
        return f"epoch {self.epoch}/{self.num_epochs}" if self.num_epochs else f"training {self.progress.fraction:.0%}"


def running_task(folder: StudyFolder, trial: Trial, label: str) -> Running:
    """How a running trial stands. Whatever its worker has not written yet is left open."""
    num_epochs = num_epochs_of(trial.task)
    done = _last_epochs(folder.work(trial.task.id) / "metrics.jsonl")
    progress = read_progress(folder.progress(trial.number))
    # The book may be ahead of where a resumed attempt is, and behind it in the moment between an epoch and its entry.
    epoch = len(done) and done[-1]["epoch"] + 1
    if progress is not None and num_epochs:
        epoch = int(progress.fraction * num_epochs) + 1
    epochs = [current_names(entry["metrics"]) for entry in done]
    metrics: Mapping[str, float] = epochs[-1] if epochs else {}
    validated = [one[VALIDATION_TOP1] for one in epochs if VALIDATION_TOP1 in one]
    return Running(
        label,
        progress,
        duration_seconds(trial),
        min(epoch, num_epochs) if num_epochs else epoch,
        num_epochs,
        metrics.get(TRAIN_LOSS),
        validated[-1] if validated else None,
        trial.worker,
        trial.task.id,
    )


def duration_seconds(trial: Trial) -> float:
    """How long a trial ran, or has been running."""
    if trial.started is None:
        return 0.0
    end = trial.ended.timestamp() if trial.ended else time.time()
    return max(0.0, end - trial.started.timestamp())


def task_label(task: QueuedTask) -> str:
    """How a task is called in lists: its cell's labels with the seed, or the teacher's architecture."""
    if task.kind == "cell":
        return f"{label_text(task.labels)}, seed {task.seed}"
    teacher = _settings(task).get("teacher", {})
    return f"teacher {teacher['arch']} ({teacher['backbone']})" if {"arch", "backbone"} <= teacher.keys() else task.id


def task_labels(latest: Mapping[str, Trial]) -> dict[str, str]:
    """Task id -> label of every task of a queue."""
    return {task: task_label(trial.task) for task, trial in latest.items()}


def num_epochs_of(task: QueuedTask) -> int:
    """How many epochs a task trains; 0 where that is not known."""
    settings = _settings(task)
    if task.kind == "teacher":
        settings = settings.get("teacher", {})
    return int(settings.get("train", {}).get("epochs", 0))


def _settings(task: QueuedTask) -> dict[str, Any]:
    """As they were planned: a look at a study must not fail over settings of another version."""
    return merge_dotted({}, {**task.configuration.shared, **task.configuration.own})


def _last_epochs(book: Path) -> list[dict[str, Any]]:
    """The last entries of a task's book of metrics, whole lines alone."""
    try:
        with book.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            # What stands before the first and behind the last line end may be half a line.
            lines = file.read().split(b"\n")[size > _TAIL_BYTES : -1]
    except OSError:
        return []
    return [json.loads(line) for line in lines]
