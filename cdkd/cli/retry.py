"""`cdkd retry`: failed cells of a study go on its queue again."""

from typing import TYPE_CHECKING

import click

from cdkd.errors import CdkdError

if TYPE_CHECKING:
    from cdkd.sweep.queue.trial_queue import Trial


@click.command()
@click.argument("study")
@click.argument("cells", metavar="[CELL]...", nargs=-1)
@click.option("--failed", is_flag=True, help="Every cell and teacher that failed; the same as naming none.")
def command(study: str, cells: tuple[str, ...], failed: bool) -> None:
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
    from cdkd.sweep.queue.study_processes import last_sweep, live_processes
    from cdkd.sweep.queue.study_reference import find_study_folder
    from cdkd.sweep.queue.task_reference import find_task
    from cdkd.sweep.queue.trial_queue import TrialQueue

    if failed and cells:
        raise click.UsageError("either cells or --failed", click.get_current_context())
    folder = find_study_folder(study)
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
    processes, sweep = live_processes(folder), last_sweep(folder)
    if processes:
        click.echo(f"{processes[0].kind} {processes[0].host}:{processes[0].pid} is at work and takes what waits.")
    else:
        click.echo(f"Nobody is at work; to run what waits: {sweep.command if sweep else f'cdkd worker {folder.path}'}")


def _require_failed(trial: "Trial", label: str, study: str) -> None:
    if trial.is_done:
        raise CdkdError(
            f"{label}: is {trial.status}, which is a result; to train it once more, remove the result first: "
            f"cdkd rm {study} {trial.task.id} --runs"
        )
    if trial.status != "failed":
        status = "interrupted, and goes on in the next sweep" if trial.status == "stale" else trial.status
        raise CdkdError(f"{label}: has not failed; it is {status}")
