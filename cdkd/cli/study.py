"""`cdkd study`: studies as files, for other machines and for archives."""

from pathlib import Path

import click

from cdkd.cli.command_group import CommandGroup
from cdkd.cli.options import PATH, output_option, tracking_uri_option


@click.group(name="study", cls=CommandGroup)
def command() -> None:
    """Take studies from one tracking store to another, or to people who have none.

    \b
    Examples:
      cdkd study export ablation -o ablation.zip
      cdkd report --table 4 --from ablation.zip
      cdkd study import ablation.zip
    """


@command.command(name="export")
@click.argument("study")
@output_option("The file to write (.zip).", required=True)
@click.option("--checkpoints", "has_checkpoints", is_flag=True, help="The trained networks, too; no report needs them.")
@tracking_uri_option
def export_command(study: str, output: Path, has_checkpoints: bool, tracking_uri: str | None) -> None:
    """Write STUDY to one file: its plan, runs, settings, metrics, per-video scores and where they come from.

    Every table can be made from it without the store: cdkd report --from FILE. It is a zip of JSON, CSV and the runs'
    own files; equal runs give equal bytes.

    \b
    Examples:
      cdkd study export ablation -o ablation.zip
      cdkd study export ablation -o ablation.zip --checkpoints
    """
    from cdkd.tracking.store import tracking_uri as default_uri
    from cdkd.tracking.study_export import export_study

    found = export_study(study, output, tracking_uri or default_uri(), has_checkpoints)
    teachers = f", {found.num_teachers} of teachers" if found.num_teachers else ""
    click.echo(f"wrote {output}: {found.num_cells} runs of cells{teachers}, {found.num_bytes / 1e6:.1f} MB")
    click.echo(f"its tables, anywhere: cdkd report --study {study} --from {output}")


@command.command(name="import")
@click.argument("file", type=PATH)
@tracking_uri_option
def import_command(file: Path, tracking_uri: str | None) -> None:
    """Take the runs of FILE, which cdkd study export has written, into the tracking store.

    There they are runs like any other: tables, cdkd compare and cdkd plan count them, and a sweep does not train their
    cells again. What the store has already is not added twice; of a damaged file nothing is taken.

    \b
    Examples:
      cdkd study import ablation.zip
      cdkd study import ablation.zip --tracking-uri sqlite:///all.db
    """
    from cdkd.sweep.queue.study_folder import HOME
    from cdkd.tracking.store import tracking_uri as default_uri
    from cdkd.tracking.study_import import import_study

    found = import_study(file, tracking_uri or default_uri(), HOME)
    known = f", {found.num_known} were there already" if found.num_known else ""
    is_open = f", {found.num_open} left out that had no end when the file was written" if found.num_open else ""
    click.echo(f"study {found.study}: {found.num_new} runs added{known}{is_open}")
    click.echo(f"its tables: cdkd report --study {found.study}")
