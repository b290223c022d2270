"""`cdkd worker`: one process, or several, that run a study's waiting cells."""

import os
import signal
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdkd.cli.command_line import typed_command
from cdkd.cli.options import cell_options, run_options
from cdkd.errors import CdkdError

if TYPE_CHECKING:
    from cdkd.sweep.queue.store_record import StoreRecord
    from cdkd.sweep.queue.study_folder import StudyFolder
    from cdkd.sweep.study.records import Study
    from cdkd.sweep.workers.cell_runner import CellRunner
    from cdkd.sweep.workers.worker import WorkerOptions
    from cdkd.tracking.mlflow_tracker import MlflowTracker

_CELL_OPTIONS = ("settings", "recipe", "teachers", "only", "seeds")


@click.command()
@click.argument("study", metavar="STUDY|FOLDER")
@cell_options
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Cells at once, each in a process."
)
@run_options
@click.option("--runner", hidden=True)
@click.option("--attached", is_flag=True, hidden=True)
@click.option("--sweep", "sweep_name", hidden=True)
@click.option("--of", "of_study", hidden=True)
@click.option("--early", "is_early", is_flag=True, hidden=True)
def command(
    study: str,
    settings: tuple[str, ...],
    recipe: str | None,
    teachers: tuple[str, ...],
    only: tuple[str, ...],
    seeds: str | None,
    workers: int,
    processes_per_cell: int,
    retry_failed: bool,
    on_failure: str,
    fresh: bool,
    tracking_uri: str | None,
    storage: str | None,
    runner: str | None,
    attached: bool,
    sweep_name: str | None,
    of_study: str | None,
    is_early: bool,
) -> None:
    """Run waiting cells of a study, until none is left.

    STUDY is a file, or the name of one, as for cdkd sweep; or FOLDER, the study's in .cdkd. A sweep starts its own
    workers; this adds one more to it, or as many as --workers says, for example on a machine that has cores to spare.
    It takes what sweeps have put on the queue; with --only, --set and the other options of a sweep's cells, those cells
    alone. The folder knows where runs are tracked, whatever the working directory; with --storage, a folder that is new
    to the study has to be told the tracking server. Store, data and device are opened before anything is claimed: a
    process that could train nothing says why and ends.

    \b
    Examples:
      cdkd worker ablation.yaml
      cdkd worker ablation.yaml --workers 4 --only row=both --retry-failed
      CUDA_VISIBLE_DEVICES=1 cdkd worker .cdkd/ablation
      CUDA_VISIBLE_DEVICES=2,3 cdkd worker .cdkd/ablation --gpus-per-cell 2
      cdkd worker ablation.yaml --storage postgresql+psycopg://me@db.example/cdkd
    """
    from cdkd.sweep.interruption import Interrupted
    from cdkd.sweep.study.opening import open_study

    has_cells = any((settings, recipe, teachers, only, seeds))
    if has_cells and of_study is None and Path(study).is_dir():
        raise click.UsageError("name the study's file: --set, --only and the like say which of its cells are taken")
    folder = _folder(study, storage)
    chosen = open_study(of_study or study, settings, seeds, only, recipe, teachers) if has_cells else None
    record = _store_record(folder, tracking_uri, runner)
    asked = _Asked(study, folder, record, chosen, processes_per_cell, fresh, on_failure == "stop")
    try:
        if attached:
            asked.work(is_attached=True, sweep=sweep_name, is_early=is_early)
        else:
            asked.work_alone(retry_failed, workers)
    except Interrupted as stop:
        sys.stdout.flush()
        # Ends as the signal would have ended it, so that whoever waits for this process sees why.
        signal.signal(stop.number, signal.SIG_DFL)
        os.kill(os.getpid(), stop.number)


def _folder(study: str, storage: str | None) -> "StudyFolder":
    from cdkd.sweep.queue.study_folder import StudyFolder, study_folder
    from cdkd.sweep.study.finder import find_study
    from cdkd.sweep.study.reading import load_study

    # A name of its own, even for `cdkd worker .`
    path = Path(study).resolve() if Path(study).is_dir() else study_folder(load_study(find_study(study)).name).path
    folder = StudyFolder(path)
    folder.use_storage(storage)
    if not folder.has_trials:
        raise CdkdError(f"{path}: nothing was planned here; start with cdkd sweep, or name its --storage")
    return folder


def _store_record(folder: "StudyFolder", tracking_uri: str | None, runner: str | None) -> "StoreRecord":
    from cdkd.sweep.queue.store_record import read_store_record, write_store_record
    from cdkd.sweep.workers.cell_runner import DEFAULT_RUNNER
    from cdkd.tracking.store import database_file

    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or None
    if folder.storage is not None and not folder.store_record.exists():
        # Cells come from the database, which any folder reaches; where they are tracked has to be said once.
        if uri is None or database_file(uri) is not None:
            raise CdkdError(
                f"{folder.path}: name the tracking server of the study with --tracking-uri; a file is not shared"
            )
        write_store_record(folder, uri, runner or DEFAULT_RUNNER)
    return read_store_record(folder, uri, runner)


@dataclass(frozen=True)
class _Asked:
    """What the command was asked for."""

    study: str
    """As typed."""
    folder: "StudyFolder"
    record: "StoreRecord"
    chosen: "Study | None"
    """Whose cells alone are taken; None: all that sweeps want."""
    num_processes: int
    """Per cell."""
    is_fresh: bool
    stop_on_failure: bool

    @cached_property
    def tracker(self) -> "MlflowTracker":
        from cdkd.tracking.mlflow_tracker import MlflowTracker

        return MlflowTracker(self.record.tracking_uri, self.folder.path.name, self.folder.path.parent)

    @cached_property
    def cells(self) -> "CellRunner":
        from cdkd.sweep.workers.cell_group import make_runner

        return make_runner(self.record.runner, self.num_processes, self.record.import_folder)

    @cached_property
    def options(self) -> "WorkerOptions":
        from cdkd.experiment.identity import is_data_known
        from cdkd.sweep.queue.stage_cells import resolve_stages, sample_cells
        from cdkd.sweep.queue.wanted_tasks import TasksOfStudy
        from cdkd.sweep.workers.worker import WorkerOptions

        if self.chosen is None:
            return WorkerOptions(is_fresh=self.is_fresh, stop_on_failure=self.stop_on_failure)
        # A cell's identity holds the version of its data set, which has to be there first.
        for cell in sample_cells(resolve_stages(self.chosen, self.folder)):
            if not is_data_known(cell.config):
                self.cells.prepare_data(cell.config, lambda fraction: None)
        return WorkerOptions(TasksOfStudy(self.chosen, self.folder), self.is_fresh, self.stop_on_failure)

    def work(self, is_attached: bool, sweep: str | None = None, is_early: bool = False) -> None:
        """In this process."""
        from cdkd.sweep.workers.worker import work

        work(self.folder, self.tracker, self.cells, is_attached, sweep, self.options, is_early)

    def work_alone(self, retry_failed: bool, num_workers: int) -> None:
        """As nobody's but the user's: says what it does, and is told of by `cdkd status`."""
        from cdkd.sweep.queue.study_processes import recorded
        from cdkd.tracking.store import shown

        # At once: what comes next, importing and opening the store, takes seconds.
        click.echo(f"{self.folder.path.name}: opening {shown(self.record.tracking_uri)}")
        line = typed_command(click.get_current_context())
        with recorded(self.folder, "worker", line, self.tracker.uri):
            if retry_failed:
                self._retry_failed()
            if num_workers == 1:
                self.work(is_attached=False)
            else:
                self._work_together(num_workers)

    def _retry_failed(self) -> None:
        from cdkd.sweep.queue.retry import enqueue_failed, failed_tasks
        from cdkd.sweep.queue.trial_queue import TrialQueue

        queue = TrialQueue(self.folder)
        latest = queue.latest()
        enqueue_failed(queue, [task for task in failed_tasks(latest) if self.options.is_chosen(latest[task].task)])

    def _work_together(self, num_workers: int) -> None:
        from cdkd.settings import RunConfig
        from cdkd.sweep.display.sweep_display import make_display
        from cdkd.sweep.queue.trial_queue import TrialQueue
        from cdkd.sweep.workers.places import find_places
        from cdkd.sweep.workers.pool import Workers
        from cdkd.sweep.workers.worker_group import work_together

        queue = TrialQueue(self.folder)
        waiting = [one for one in queue.trials() if one.status == "waiting" and self.options.is_chosen(one.task)]
        configs = [queue.cell(trial).config for trial in waiting] or [RunConfig()]
        places = find_places(configs, num_workers, self.num_processes)
        words = [*_words_of_cells(self.study), "--gpus-per-cell", str(self.num_processes)]
        words += ["--fresh"] if self.is_fresh else []
        workers = Workers(self.folder, self.record.tracking_uri, self.record.runner, places, words)
        with make_display() as display:
            work_together(self.folder, self.tracker, workers, places.num_workers, display, self.options)


def _words_of_cells(study: str) -> list[str]:
    """What the processes of a group are told besides: which cells are theirs."""
    from cdkd.cli.command_line import typed_words

    context = click.get_current_context()
    if not any(context.params[name] for name in _CELL_OPTIONS):
        return []
    kept = {option for parameter in context.command.params if parameter.name in _CELL_OPTIONS
            for option in parameter.opts}  # fmt: skip
    others = [option for parameter in context.command.params if isinstance(parameter, click.Option)
              for option in parameter.opts if option not in kept]  # fmt: skip
    num_words = len(context.command_path.split()) + 1
    return ["--of", study, *typed_words(context, without=others)[num_words:]]
