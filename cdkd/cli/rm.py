"""`cdkd rm`: forgets a study, or some of its cells."""

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cdkd.cli.options import storage_option, tracking_uri_option
from cdkd.errors import CdkdError

if TYPE_CHECKING:
    from cdkd.sweep.queue.study_folder import StudyFolder
    from cdkd.tracking.deletion import DeletableRun


@click.command()
@click.argument("study")
@click.argument("cells", metavar="[CELL]...", nargs=-1)
@click.option("--runs", is_flag=True, help="Mark its runs as deleted in the tracking store, too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@tracking_uri_option
@storage_option
def command(
    study: str, cells: tuple[str, ...], runs: bool, yes: bool, tracking_uri: str | None, storage: str | None
) -> None:
    """Remove the state of STUDY, or what its CELLs would resume from; says first what goes and what stays.

    Tracked runs stay, and the next sweep finds their results, unless --runs is given: then the cells are trained once
    more. MLflow keeps what is marked as deleted until `mlflow gc`; `mlflow runs restore` brings it back. CELL is the
    beginning of a cell's id, its label, or a part of it.

    \b
    Examples:
      cdkd rm ablation
      cdkd rm ablation --runs
      cdkd rm ablation 3f2a --runs
    """
    from cdkd.sweep.queue.store_record import read_store_record
    from cdkd.sweep.queue.study_processes import live_processes
    from cdkd.sweep.queue.study_reference import find_study_folder
    from cdkd.sweep.queue.trial_queue import TrialQueue
    from cdkd.tracking.deletion import delete_runs, find_runs
    from cdkd.tracking.store import shown
    from cdkd.tracking.store import tracking_uri as default_uri

    folder = find_study_folder(study, storage)
    name = folder.path.name
    if processes := live_processes(folder):
        raise CdkdError(f"{name}: {processes[0].kind} {processes[0].pid} is at work; first: cdkd stop {name}")
    tasks = _tasks(folder, cells)
    has_record = tracking_uri is None and folder.store_record.exists()
    uri = read_store_record(folder).tracking_uri if has_record else tracking_uri or default_uri()
    if cells and not runs and not folder.path.is_dir():
        raise CdkdError(f"{name}: nothing of these cells is in this folder; with --runs, their tracked runs go")
    found = find_runs(uri, name, tasks) if runs else []
    click.echo(_what_goes(folder, tasks, found, shown(uri), is_with_runs=runs))
    if not yes:
        click.confirm("Remove it?", abort=True)
    # The runs first: killed in between, the state that is left finds their cells without a result, and trains them.
    if runs:
        delete_runs(uri, name, found)
    if cells:
        for task in tasks:
            shutil.rmtree(folder.work(task), ignore_errors=True)
            for file in (folder.path / "failures").glob(f"{task}-*.txt"):
                file.unlink()
    else:
        # A database first: killed in between, the folder still says where it is.
        if folder.storage is not None:
            TrialQueue(folder).remove()
        if folder.path.is_dir():
            shutil.rmtree(folder.path)
    click.echo("Removed.")


def _tasks(folder: "StudyFolder", cells: Sequence[str]) -> list[str]:
    from cdkd.sweep.display.running import task_labels
    from cdkd.sweep.display.study_status import open_queue
    from cdkd.sweep.queue.task_reference import find_task

    latest = open_queue(folder).latest()
    labels = task_labels(latest)
    tasks = [find_task(cell, labels) for cell in cells]
    for task in tasks or latest:
        if latest[task].status == "running":
            raise CdkdError(f"{labels[task]}: {latest[task].worker or 'a worker'} is at it; first: cdkd stop "
                            f"{folder.path.name}")  # fmt: skip
    return tasks


def _what_goes(
    folder: "StudyFolder", tasks: Sequence[str], found: "Sequence[DeletableRun]", store: str, is_with_runs: bool
) -> str:
    from cdkd.sweep.queue.leftovers import disk_bytes
    from cdkd.sweep.queue.trial_queue import TrialQueue

    name = folder.path.name
    places = [folder.work(task) for task in tasks] or [folder.path]
    size = sum(map(disk_bytes, places)) / 1e6
    what = "what these cells would resume from, and their tracebacks" if tasks else "plan, checkpoints, logs"
    # Of a study that a database alone knows, nothing is here.
    lines = [f"goes: {', '.join(map(str, places))} ({size:.1f} MB: {what})"] if folder.path.is_dir() else []
    if folder.storage is not None and not tasks:
        lines.append(f"goes: its plan in {TrialQueue(folder).place}, which other folders may share")
    own = [run for run in found if run.study == name]
    if own:
        lines.append(f"goes: {len(own)} runs in {store}, marked as deleted")
    if also := sorted({study for run in own for study in run.adopted_by}):
        lines.append(f"      results of {', '.join(also)} are among them")
    if len(found) > len(own):
        lines.append(f"stays: {len(found) - len(own)} runs that other studies trained; they are no longer this one's")
    if not is_with_runs:
        lines.append(f"stays: all runs in {store}, whose results the next sweep finds (--runs)")
    lines.append("stays: teachers, data sets, tables")
    return "\n".join(lines)
