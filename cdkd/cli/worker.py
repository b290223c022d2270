"""`cdkd worker`: one process that runs a study's waiting cells."""

import contextlib
import os
import signal
import sys
from pathlib import Path

import click

from cdkd.cli.command_line import typed_command
from cdkd.cli.options import gpus_per_cell_option, storage_option, tracking_uri_option
from cdkd.errors import CdkdError


@click.command()
@click.argument("study", metavar="STUDY|FOLDER")
@gpus_per_cell_option
@tracking_uri_option
@storage_option
@click.option("--runner", hidden=True)
@click.option("--attached", is_flag=True, hidden=True)
@click.option("--sweep", "sweep_name", hidden=True)
@click.option("--fresh", is_flag=True, hidden=True)
def command(
    study: str,
    processes_per_cell: int,
    tracking_uri: str | None,
    storage: str | None,
    runner: str | None,
    attached: bool,
    sweep_name: str | None,
    fresh: bool,
) -> None:
    """Run waiting cells of a study, until none is left.

    STUDY is a file, or the name of one, as for cdkd sweep; or FOLDER, the study's in .cdkd. A sweep starts its own
    workers; this adds one more to it, for example on a machine that has a core to spare. The folder knows where runs
    are tracked, whatever the working directory; with --storage, a folder that is new to the study has to be told the
    tracking server. Store, data and device are opened before anything is claimed: a process that could train nothing
    says why and ends.

    \b
    Examples:
      cdkd worker ablation.yaml
      CUDA_VISIBLE_DEVICES=1 cdkd worker .cdkd/ablation
      CUDA_VISIBLE_DEVICES=2,3 cdkd worker .cdkd/ablation --gpus-per-cell 2
      cdkd worker ablation.yaml --storage postgresql+psycopg://me@db.example/cdkd
    """
    from cdkd.sweep.queue.store_record import read_store_record, write_store_record
    from cdkd.sweep.queue.study_folder import StudyFolder, study_folder
    from cdkd.sweep.queue.study_processes import recorded
    from cdkd.sweep.study.finder import find_study
    from cdkd.sweep.study.reading import load_study
    from cdkd.sweep.workers.cell_group import make_runner
    from cdkd.sweep.workers.cell_runner import DEFAULT_RUNNER
    from cdkd.sweep.workers.interruption import Interrupted
    from cdkd.sweep.workers.worker import work
    from cdkd.tracking.mlflow_tracker import MlflowTracker
    from cdkd.tracking.store import database_file

    # A name of its own, even for `cdkd worker .`
    path = Path(study).resolve() if Path(study).is_dir() else study_folder(load_study(find_study(study)).name).path
    folder = StudyFolder(path)
    folder.use_storage(storage)
    if not folder.has_trials:
        raise CdkdError(f"{path}: nothing was planned here; start with cdkd sweep, or name its --storage")
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or None
    if folder.storage is not None and not folder.store_record.exists():
        # Cells come from the database, which any folder reaches; where they are tracked has to be said once.
        if uri is None or database_file(uri) is not None:
            raise CdkdError(f"{path}: name the tracking server of the study with --tracking-uri; a file is not shared")
        write_store_record(folder, uri, runner or DEFAULT_RUNNER)
    record = read_store_record(folder, uri, runner)
    tracker = MlflowTracker(record.tracking_uri, path.name, path.parent)
    try:
        cells = make_runner(record.runner, processes_per_cell, record.import_folder)
        # A sweep's own worker is its sweep's business; others are told of on their own.
        line = typed_command(click.get_current_context())
        with contextlib.nullcontext() if attached else recorded(folder, "worker", line, tracker.uri):
            work(folder, tracker, cells, attached, sweep_name, fresh)
    except Interrupted as stop:
        sys.stdout.flush()
        # Ends as the signal would have ended it, so that whoever waits for this process sees why.
        signal.signal(stop.number, signal.SIG_DFL)
        os.kill(os.getpid(), stop.number)
