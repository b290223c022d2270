"""`cdkd stop`: asks all who work on a study to end in good order."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cdkd.cli.options import storage_option

if TYPE_CHECKING:
    from cdkd.sweep.queue.study_folder import StudyFolder
    from cdkd.sweep.queue.study_processes import StudyProcess
    from cdkd.sweep.queue.trial_queue import Trial

_SECONDS_BETWEEN_LOOKS = 0.5


@click.command()
@click.argument("study")
@click.option("--now", is_flag=True, help="Do not wait for the epoch under way: back to the last checkpoint.")
@click.option("--no-wait", is_flag=True, help="Return at once, while they still finish their epochs.")
@storage_option
def command(study: str, now: bool, no_wait: bool, storage: str | None) -> None:
    """Ask the sweeps and workers of STUDY to end: no new cell is begun, those under way end behind their epoch.

    Each cell writes a checkpoint first, so that nothing is lost; typing the sweep's command again goes on from there.
    It reaches every process that sees the study's folder, on other machines too, and where a database keeps the cells,
    every process that shares that, within seconds; and the jobs of a cluster that this folder's sweep has submitted, of
    which those that have not begun are cancelled. Interrupting it stops the waiting alone.

    \b
    Examples:
      cdkd stop ablation
      cdkd stop ablation --now
      cdkd stop ablation --no-wait
      cdkd stop ablation --storage postgresql+psycopg://me@db.example/cdkd
    """
    from cdkd.sweep.queue.stop_request import ask_to_stop
    from cdkd.sweep.queue.study_processes import last_sweep, live_processes
    from cdkd.sweep.queue.study_reference import find_study_folder
    from cdkd.sweep.workers.job_workers import OrphanedJobs
    from cdkd.sweep.workers.slurm import SlurmQueue

    folder = find_study_folder(study, storage)
    processes = live_processes(folder)
    # A sweep that lives passes it on to its own jobs.
    jobs = OrphanedJobs(folder, SlurmQueue())
    cells = _CellsInDatabase(folder)
    if not processes and not jobs.left() and folder.storage is None:
        click.echo(f"Nothing of {folder.path.name} runs in {folder.path}.")
        return
    ask_to_stop(folder, is_immediate=now)
    for process in processes:
        click.echo(f"asked {_name(process)}: {process.command}")
    for job in jobs.left():
        click.echo(f"asked job {job}")
    cells.tell()
    jobs.stop(is_immediate=now)
    if no_wait:
        return
    try:
        _wait(folder, processes)
        while jobs.left():
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        cells.wait()
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


class _CellsInDatabase:
    """Cells under way whose processes may be in any folder of any machine; none where a journal keeps the study."""

    def __init__(self, folder: "StudyFolder") -> None:
        from cdkd.sweep.queue.trial_queue import TrialQueue

        self._queue: TrialQueue | None = None if folder.storage is None else TrialQueue(folder)
        self._name = folder.path.name
        self._left = self._running()

    def _running(self) -> "dict[int, Trial]":
        trials = [] if self._queue is None else self._queue.trials()
        return {trial.number: trial for trial in trials if trial.status == "running"}

    def tell(self) -> None:
        """Whom a request reaches by the database."""
        if self._queue is None:
            return
        click.echo(f"asked all who work on {self._name} in {self._queue.place}; cells under way: {len(self._left)}")
        for trial in self._left.values():
            click.echo(f"  {_cell(trial)}")

    def wait(self) -> None:
        """Until those that were under way have gone back on the queue, or come to their end."""
        while self._left:
            still = self._running()
            for number, trial in self._left.items():
                if number not in still:
                    click.echo(f"left: {_cell(trial)}")
            self._left = {number: trial for number, trial in self._left.items() if number in still}
            if self._left:
                time.sleep(_SECONDS_BETWEEN_LOOKS)


def _name(process: "StudyProcess") -> str:
    return f"{process.kind} {process.host}:{process.pid}"


def _cell(trial: "Trial") -> str:
    from cdkd.sweep.display.running import task_label

    return f"{task_label(trial.task)}, by {trial.worker}" if trial.worker else task_label(trial.task)
