"""`cdkd logs`: what a cell has written so far, and why it failed."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdkd.cli.options import storage_option

if TYPE_CHECKING:
    from cdkd.sweep.queue.study_folder import StudyFolder
    from cdkd.sweep.queue.trial_queue import Trial

_SECONDS_BETWEEN_LOOKS = 0.5
_LOG_LINES = 40


@click.command()
@click.argument("study")
@click.argument("cell")
@click.option("--follow", is_flag=True, help="Go on with every epoch, until the cell has ended.")
@storage_option
def command(study: str, cell: str, follow: bool, storage: str | None) -> None:
    """Show what a cell of STUDY has logged: its epochs, its traceback, what workers have printed since it began.

    CELL is the beginning of a cell's id, its label, or a part of it; of a cell tried several times, the last attempt.

    \b
    Examples:
      cdkd logs ablation 3f2a
      cdkd logs ablation "TSM, both, seed 3" --follow
    """
    from cdkd.sweep.display.running import task_labels
    from cdkd.sweep.display.study_status import open_queue
    from cdkd.sweep.queue.study_reference import find_study_folder
    from cdkd.sweep.queue.task_reference import find_task

    folder = find_study_folder(study, storage)
    queue = open_queue(folder)
    latest = queue.latest()
    labels = task_labels(latest)
    task = find_task(cell, labels)
    trial = latest[task]
    click.echo(_headline(trial, labels[task]))
    printed = _echo_epochs(folder, task, 0)
    try:
        while follow and trial.status in ("waiting", "running"):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            trial = queue.latest()[task]
            printed = _echo_epochs(folder, task, printed)
    except KeyboardInterrupt:
        return
    if follow:
        click.echo(_headline(trial, labels[task]))
    _echo_end(folder, trial)


def _headline(trial: "Trial", label: str) -> str:
    parts = [trial.status, f"attempt {trial.attempt}"]
    parts += [f"worker {trial.worker}"] if trial.worker else []
    parts += [f"run {trial.run_id}"] if trial.run_id else []
    return f"{label} ({trial.task.id}): {', '.join(parts)}"


def _echo_epochs(folder: "StudyFolder", task: str, after: int) -> int:
    """Prints the epochs that the task has logged since; returns the last one's number."""
    from cdkd.tracking.logbook import read_book

    for entry in read_book(folder.work(task) / "metrics.jsonl"):
        if entry.epoch > after:
            click.echo(f"epoch {entry.epoch:>4}  {_numbers(entry.metrics)}")
            after = entry.epoch
    return after


def _numbers(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def _echo_end(folder: "StudyFolder", trial: "Trial") -> None:
    if trial.is_done:
        click.echo(f"result      {_numbers(trial.metrics)}")
        if trial.run_id:
            click.echo(f"Its curves, scores and checkpoint are in run {trial.run_id}: cdkd ui")
    report = folder.traceback(trial.task.id, trial.number)
    if report.exists():
        click.echo(f"{report}:\n{report.read_text(encoding='utf-8').rstrip()}")
    elif trial.error:
        click.echo(f"error       {trial.error}")
    if trial.worker and not (trial.is_done or report.exists() or folder.work(trial.task.id).is_dir()):
        click.echo(
            f"Its epochs and traceback are in the folder where worker {trial.worker} was started: cdkd logs there"
        )
    for log in _logs_since(folder, trial):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
        click.echo(f"{log}, written to since the cell began, ends:\n" + "\n".join(lines))


def _logs_since(folder: "StudyFolder", trial: "Trial") -> list[Path]:
    """Logs of workers that were written to since the trial began; most workers print nothing."""
    if trial.started is None:
        return []
    logs = sorted(folder.worker_log("*").parent.glob("worker-*.log"))
    return [log for log in logs if log.stat().st_size and log.stat().st_mtime >= trial.started.timestamp()]
