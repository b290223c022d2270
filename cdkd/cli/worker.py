"""`cdkd worker`: one process that runs a study's waiting cells."""

import os
import signal
import sys
from pathlib import Path

import click

from cdkd.cli.options import tracking_uri_option


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@tracking_uri_option
@click.option("--runner", default="cdkd.experiment:RUNNER", hidden=True)
@click.option("--attached", is_flag=True, hidden=True)
def command(folder: Path, tracking_uri: str | None, runner: str, attached: bool) -> None:
    """Run waiting cells of the study whose state is in FOLDER, until none is left.

    A sweep starts its own workers; this adds one more to it, for example on a machine that has a core to spare.

    \b
    Examples:
      cdkd worker .cdkd/ablation
      CUDA_VISIBLE_DEVICES=1 cdkd worker .cdkd/ablation
    """
    from cdkd.sweep.queue.study_folder import StudyFolder
    from cdkd.sweep.workers.cell_runner import load_runner
    from cdkd.sweep.workers.interruption import Interrupted
    from cdkd.sweep.workers.worker import work
    from cdkd.tracking.mlflow_tracker import MlflowTracker
    from cdkd.tracking.store import tracking_uri as default_uri

    tracker = MlflowTracker(tracking_uri or default_uri(), folder.name, folder.parent)
    try:
        work(StudyFolder(folder), tracker, load_runner(runner), attached)
    except Interrupted:
        sys.stdout.flush()
        # Ends as the signal would have ended it, so that whoever waits for this process sees why.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
