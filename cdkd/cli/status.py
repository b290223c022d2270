"""`cdkd status`: how studies stand, from any terminal."""

import json
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cdkd.cli.options import json_option, storage_option

if TYPE_CHECKING:
    from cdkd.sweep.queue.trial_queue import TrialQueue

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_BETWEEN_PRINTS = 10.0
"""Where nobody looks on: a log wants fewer lines than a terminal."""


@click.command()
@click.argument("study", required=False)
@click.option("--watch", is_flag=True, help="Go on showing it until interrupted.")
@storage_option
@json_option
def command(study: str | None, watch: bool, storage: str | None, as_json: bool) -> None:
    """Show how STUDY stands, whoever runs it: epoch, loss, last validation and time left of every cell under way.

    STUDY is a study's name, its file, or its folder; without it, all studies of this folder are shown, and with
    --storage those of the database. Looking changes nothing and disturbs nobody.

    \b
    Examples:
      cdkd status
      cdkd status ablation
      cdkd status ablation --watch
      cdkd status ablation --json
      cdkd status ablation --storage postgresql+psycopg://me@db.example/cdkd
    """
    from cdkd.sweep.display.study_status import open_queue
    from cdkd.sweep.queue.study_reference import find_study_folder, known_study_folders

    folders = known_study_folders(storage) if study is None else [find_study_folder(study, storage)]
    if not folders and not as_json:
        click.echo("No study has run in this folder; start one with: cdkd sweep ablation.yaml")
        return
    # Opened once: each look then reads only what has been added.
    queues = [open_queue(folder) for folder in folders]
    try:
        if watch and sys.stdout.isatty() and not as_json:
            _watch(queues)
            return
        while True:
            click.echo(_json(queues, is_single=study is not None) if as_json else _text(queues), nl=False)
            if not watch:
                return
            time.sleep(_SECONDS_BETWEEN_PRINTS)
            click.echo("" if as_json else "\n", nl=False)
    except KeyboardInterrupt:
        # The usual way to end it.
        return


def _text(queues: "Sequence[TrialQueue]") -> str:
    from cdkd.sweep.display.study_status import read_status, status_text

    width = shutil.get_terminal_size().columns
    return "\n".join(status_text(read_status(queue), width) for queue in queues)


def _json(queues: "Sequence[TrialQueue]", is_single: bool) -> str:
    from cdkd.sweep.display.study_status import read_status, status_record

    records = [status_record(read_status(queue)) for queue in queues]
    return json.dumps(records[0] if is_single else records, indent=1) + "\n"


def _watch(queues: "Sequence[TrialQueue]") -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(), auto_refresh=False, transient=False) as live:
        while True:
            live.update(Text(_text(queues)), refresh=True)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
