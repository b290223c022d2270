"""`cdkd plan`: a study's cells and their state."""

import json

import click

from cdkd.cli.options import json_option, only_option, recipe_option, seeds_option, set_option, teacher_option


@click.command()
@click.argument("study")
@set_option
@recipe_option()
@teacher_option
@only_option
@seeds_option
@json_option
def command(
    study: str,
    settings: tuple[str, ...],
    recipe: str | None,
    teachers: tuple[str, ...],
    only: tuple[str, ...],
    seeds: str | None,
    as_json: bool,
) -> None:
    """List the cells of STUDY and their state; trains nothing.

    STUDY is a file, or the name of one in ./sweeps or of those that come with cdkd.

    \b
    Examples:
      cdkd plan ablation.yaml
      cdkd plan lambda.yaml --seeds 3
      cdkd plan my_study.yaml --set train.epochs=10
      cdkd plan ablation.yaml --recipe ucf101 --set data.root=prepared/ucf101 \\
          --teacher tsm=tsm.safetensors --teacher tdn=tdn.safetensors
      cdkd plan ablation.yaml --json
    """
    from cdkd.sweep.display.listing import plan_record, plan_text
    from cdkd.sweep.study.opening import open_study

    plan = open_study(study, settings, seeds, only, recipe, teachers)
    click.echo(json.dumps(plan_record(plan), indent=1) + "\n" if as_json else plan_text(plan), nl=False)
