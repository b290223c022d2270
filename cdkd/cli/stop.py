"""`cdkd stop`: asks all who work on a study to end in good order."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cdkd.sweep.queue.study_folder import StudyFolder
    from cdkd.sweep.queue.study_processes import StudyProcess

_SECONDS_BETWEEN_LOOKS = 0.5


@click.command()
@click.argument("study")
@click.option("--now", is_flag=True, help="Do not wait for the epoch under way: back to the last checkpoint.")
@click.option("--no-wait", is_flag=True, help="Return at once, while they still finish their epochs.")
def command(study: str, now: bool, no_wait: bool) -> None:
    """Ask the sweeps and workers of STUDY to end: no new cell is begun, those under way end behind their epoch.

    Each cell writes a checkpoint first, so that nothing is lost; typing the sweep's command again goes on from there.
    It reaches every process that sees the study's folder, on other machines too, and the jobs of a cluster, of which
    those that have not begun are cancelled. Interrupting it stops the waiting alone.

    \b
    Examples:
      cdkd stop ablation
      cdkd stop ablation --now
      cdkd stop ablation --no-wait
    """
    from cdkd.sweep.queue.stop_request import ask_to_stop
    from cdkd.sweep.queue.study_processes import last_sweep, live_processes
    from cdkd.sweep.queue.study_reference import find_study_folder
    from cdkd.sweep.workers.job_workers import OrphanedJobs
    from cdkd.sweep.workers.slurm import SlurmQueue

    folder = find_study_folder(study)
    processes = live_processes(folder)
    # A sweep that lives passes it on to its own jobs.
    jobs = OrphanedJobs(folder, SlurmQueue())
    if not processes and not jobs.left():
        click.echo(f"Nothing of {folder.path.name} runs in {folder.path}.")
        return
    ask_to_stop(folder, is_immediate=now)
    for process in processes:
        click.echo(f"asked {_name(process)}: {process.command}")
    for job in jobs.left():
        click.echo(f"asked job {job}")
    jobs.stop(is_immediate=now)
    if no_wait:
        return
    try:
        _wait(folder, processes)
        while jobs.left():
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    except KeyboardInterrupt:
        click.echo("No longer waiting; they end all the same.", err=True)
        raise click.Abort from None
    sweep = last_sweep(folder)
    click.echo("All have ended." + (f" The same command goes on: {sweep.command}" if sweep else ""))


def _wait(folder: "StudyFolder", asked: "Sequence[StudyProcess]") -> None:
    """Until those that were asked have ended; one that is started meanwhile was not asked."""
    from cdkd.sweep.queue.study_processes import live_processes

    left = list(asked)
    while left:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        still = [process for process in live_processes(folder) if process in asked]
        for process in left:
            if process not in still:
                click.echo(f"ended {_name(process)}")
        left = still


def _name(process: "StudyProcess") -> str:
    return f"{process.kind} {process.host}:{process.pid}"
