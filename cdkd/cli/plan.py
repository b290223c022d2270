"""`cdkd plan`: a study's cells and their state."""

import json
import sys
from typing import TYPE_CHECKING

import click

from cdkd.cli.options import (
    json_option,
    storage_option,
    study_options,
    tracking_uri_option,
)

if TYPE_CHECKING:
    from cdkd.report.resolution import SeedAdvice


@click.command()
@study_options
@tracking_uri_option
@storage_option
@click.option(
    "--resolve",
    metavar="POINTS",
    type=click.FloatRange(min=0, min_open=True),
    help="Say how many seeds find a difference of so many points of top-1, by the spread of the runs so far.",
)
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
    resolve: float | None,
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
          --teacher tsm=tsm.safetensors
      cdkd plan ablation.yaml --resolve 2
      cdkd plan ablation.yaml --json
    """
    from cdkd.capacity import default_workers
    from cdkd.sweep.display.listing import make_plan, plan_record, plan_text
    from cdkd.sweep.queue.study_folder import study_folder
    from cdkd.sweep.study.opening import open_study
    from cdkd.tracking.store import shown
    from cdkd.tracking.store import tracking_uri as default_uri

    opened = open_study(study, settings, seeds, only, recipe, teachers)
    study_folder(opened.name).use_storage(storage)
    uri = tracking_uri or default_uri()
    if sys.stderr.isatty():
        # Asking the store takes seconds; not for programs, which read what is said there as an error.
        click.echo(f"{opened.name}: looking at {shown(uri)}", err=True)
    plan = make_plan(opened, uri)
    advice = None if resolve is None else _advice(opened.name, uri, resolve)
    if as_json:
        record = plan_record(plan) | ({"resolve": advice and vars(advice)} if resolve is not None else {})
        click.echo(json.dumps(record, indent=1))
        return
    click.echo(plan_text(plan, default_workers()), nl=False)
    if resolve is not None:
        click.echo(_advice_text(advice, opened.name))


def _advice(study: str, uri: str, difference: float) -> "SeedAdvice | None":
    from cdkd.report.resolution import seed_advice
    from cdkd.report.tracked import ReportError
    from cdkd.report.writing import load_study_report
    from cdkd.tracking.store import TrackingError

    try:
        report = load_study_report(study, uri, over_videos=False)
    except (ReportError, TrackingError):
        # Nothing has run yet.
        return None
    return seed_advice(report.rows, difference)


def _advice_text(advice: "SeedAdvice | None", study: str) -> str:
    from cdkd.report.resolution import advice_text

    if advice is None:
        return f"seeds: no row has two in common with what it is compared with yet; cdkd sweep {study} --seeds 2"
    return advice_text(advice)
