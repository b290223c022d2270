"""`cdkd plan`: a study's cells and their state."""

import json

import click

from cdkd.cli.options import (
    json_option,
    storage_option,
    study_options,
    tracking_uri_option,
)


@click.command()
@study_options
@tracking_uri_option
@storage_option
@json_option
def command(
    study: str,
    settings: tuple[str, ...],
    recipe: str | None,
    teachers: tuple[str, ...],
    only: tuple[str, ...],
    seeds: str | None,
    tracking_uri: str | None,
    storage: str | None,
    as_json: bool,
) -> None:
    """List the cells of STUDY, their state and cost; trains nothing.

    Cells that any study of the tracking store has trained are reused. The cost of the others is epochs times what
    epochs of cells like them took; data sets and teachers that are missing are named. STUDY is a file,
    or the name of one in ./sweeps or of those that come with cdkd.

    \b
    Examples:
      cdkd plan ablation.yaml
      cdkd plan lambda.yaml --seeds 3
      cdkd plan my_study.yaml --set train.epochs=10
      cdkd plan ablation.yaml --recipe ucf101 --set data.root=prepared/ucf101 \\
          --teacher tsm=tsm.safetensors --teacher tdn=tdn.safetensors
      cdkd plan ablation.yaml --json
    """
    from cdkd.capacity import default_workers
    from cdkd.sweep.display.listing import make_plan, plan_record, plan_text
    from cdkd.sweep.queue.study_folder import study_folder
    from cdkd.sweep.study.opening import open_study
    from cdkd.tracking.store import tracking_uri as default_uri

    opened = open_study(study, settings, seeds, only, recipe, teachers)
    study_folder(opened.name).use_storage(storage)
    plan = make_plan(opened, tracking_uri or default_uri())
    text = json.dumps(plan_record(plan), indent=1) + "\n" if as_json else plan_text(plan, default_workers())
    click.echo(text, nl=False)
