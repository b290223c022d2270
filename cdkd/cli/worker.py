"""`cdkd worker`: one process that runs a study's waiting cells."""

import contextlib
import os
import signal
import sys
from pathlib import Path

import click

from cdkd.cli.command_line import typed_command
from cdkd.cli.options import gpus_per_cell_option, tracking_uri_option


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@gpus_per_cell_option
@tracking_uri_option
@click.option("--runner", hidden=True)
@click.option("--attached", is_flag=True, hidden=True)
@click.option("--sweep", "sweep_name", hidden=True)
@click.option("--fresh", is_flag=True, hidden=True)
def command(
    folder: Path,
    processes_per_cell: int,
    tracking_uri: str | None,
    runner: str | None,
    attached: bool,
    sweep_name: str | None,
    fresh: bool,
) -> None:
    """Run waiting cells of the study whose state is in FOLDER, until none is left.

    A sweep starts its own workers; this adds one more to it, for example on a machine that has a core to spare. The
    folder knows where runs are tracked, whatever the working directory. Store, data and device are opened before
    anything is claimed: a process that could train nothing says why and ends.

    \b
    Examples:
      cdkd worker .cdkd/ablation
      CUDA_VISIBLE_DEVICES=1 cdkd worker .cdkd/ablation
      CUDA_VISIBLE_DEVICES=2,3 cdkd worker .cdkd/ablation --gpus-per-cell 2
    """
    from cdkd.sweep.queue.store_record import read_store_record
    from cdkd.sweep.queue.study_folder import StudyFolder
    from cdkd.sweep.queue.study_processes import recorded
    from cdkd.sweep.workers.cell_group import make_runner
    from cdkd.sweep.workers.interruption import Interrupted
    from cdkd.sweep.workers.worker import work
    from cdkd.tracking.mlflow_tracker import MlflowTracker

    # A name of its own, even for `cdkd worker .`
    folder = folder.resolve()
    study = StudyFolder(folder)
    record = read_store_record(study, tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or None, runner)
    tracker = MlflowTracker(record.tracking_uri, folder.name, folder.parent)
    try:
        cells = make_runner(record.runner, processes_per_cell, record.import_folder)
        # A sweep's own worker is its sweep's business; others are told of on their own.
        line = typed_command(click.get_current_context())
        with contextlib.nullcontext() if attached else recorded(study, "worker", line, tracker.uri):
            work(study, tracker, cells, attached, sweep_name, fresh)
    except Interrupted as stop:
        sys.stdout.flush()
        # Ends as the signal would have ended it, so that whoever waits for this process sees why.
        signal.signal(stop.number, signal.SIG_DFL)
        os.kill(os.getpid(), stop.number)
