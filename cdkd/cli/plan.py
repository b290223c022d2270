"""`cdkd plan`: a study's cells and their state."""

import json

import click

from cdkd.cli.options import json_option, only_option, seeds_option, set_option


@click.command()
@click.argument("study")
@set_option
@only_option
@seeds_option
@json_option
def command(study: str, settings: tuple[str, ...], only: tuple[str, ...], seeds: str | None, as_json: bool) -> None:
    """List the cells of STUDY and their state; trains nothing.

    STUDY is a file, or the name of one in ./sweeps or of those that come with cdkd.

    \b
    Examples:
      cdkd plan ablation.yaml
      cdkd plan lambda.yaml --seeds 3
      cdkd plan my_study.yaml --set train.epochs=10
      cdkd plan ablation.yaml --json
    """
    from cdkd.sweep.display.listing import plan_record, plan_text
    from cdkd.sweep.study.filter import narrow
    from cdkd.sweep.study.finder import find_study
    from cdkd.sweep.study.reading import load_study

    plan = narrow(load_study(find_study(study), settings, seeds), only)
    click.echo(json.dumps(plan_record(plan), indent=1) + "\n" if as_json else plan_text(plan), nl=False)
