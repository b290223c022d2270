"""`cdkd retry`: failed cells of a study go on its queue again."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cdkd.cli.options import storage_option
from cdkd.errors import CdkdError

if TYPE_CHECKING:
    from cdkd.sweep.queue.study_folder import StudyFolder
    from cdkd.sweep.queue.trial_queue import Trial


@click.command()
@click.argument("study")
@click.argument("cells", metavar="[CELL]...", nargs=-1)
@click.option("--failed", is_flag=True, help="Every cell and teacher that failed; the same as naming none.")
@storage_option
def command(study: str, cells: tuple[str, ...], failed: bool, storage: str | None) -> None:
    """Let failed cells of STUDY run again: a sweep or worker that is at work takes them within seconds.

    CELL is the beginning of a cell's id, its label, or a part of it. A teacher that failed goes first. What a failed
    attempt had trained is not lost: the next one goes on from its last checkpoint.

    \b
    Examples:
      cdkd retry ablation
      cdkd retry ablation --failed
      cdkd retry ablation 3f2a
      cdkd retry ablation "TSM, both, seed 3"
    """
    from cdkd.sweep.display.running import task_labels
    from cdkd.sweep.queue.retry import enqueue_failed, failed_tasks
    from cdkd.sweep.queue.study_reference import find_study_folder
    from cdkd.sweep.queue.task_reference import find_task
    from cdkd.sweep.queue.trial_queue import TrialQueue

    if failed and cells:
        raise click.UsageError("either cells or --failed", click.get_current_context())
    folder = find_study_folder(study, storage)
    queue = TrialQueue(folder)
    latest = queue.latest()
    labels = task_labels(latest)
    wanted = [find_task(cell, labels) for cell in cells] or failed_tasks(latest)
    for task in wanted:
        _require_failed(latest[task], labels[task], folder.path.name)
    added = enqueue_failed(queue, wanted)
    if not added:
        click.echo(f"No cell of {folder.path.name} has failed.")
        return
    for trial in added:
        click.echo(f"waits again: {labels[trial.task.id]}")
    click.echo(_who_takes_it(folder, study, [trial.worker for trial in latest.values() if trial.status == "running"]))


def _who_takes_it(folder: "StudyFolder", study: str, workers: Sequence[str]) -> str:
    from cdkd.sweep.queue.study_processes import last_sweep, live_processes

    if processes := live_processes(folder):
        return f"{processes[0].kind} {processes[0].host}:{processes[0].pid} is at work and takes what waits."
    if workers:
        return f"worker {workers[0]} is at work, and takes what waits."
    if sweep := last_sweep(folder):
        return f"Nobody is at work; to run what waits: {sweep.command}"
    if folder.path.is_dir():
        return f"Nobody is at work; to run what waits: cdkd worker {folder.path}"
    return f"Nobody is at a cell; to run what waits, name the study's file: cdkd worker {folder.path.name}.yaml"


def _require_failed(trial: "Trial", label: str, study: str) -> None:
    if trial.is_done:
        raise CdkdError(
            f"{label}: is {trial.status}, which is a result; to train it once more, remove the result first: "
            f"cdkd rm {study} {trial.task.id} --runs"
        )
    if trial.status != "failed":
        status = "interrupted, and goes on in the next sweep" if trial.status == "stale" else trial.status
        raise CdkdError(f"{label}: has not failed; it is {status}")
