"""`cdkd plan`: a study's cells and their state."""

import click


@click.command()
@click.argument("study")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a setting of every cell.")
@click.option("--seeds", default=None, help="A count, or numbers between commas; default: the study's.")
def command(study: str, settings: tuple[str, ...], seeds: str | None) -> None:
    """List the cells of STUDY and their state; trains nothing.

    STUDY is a file, or the name of one in ./sweeps or of those that come with cdkd.

    \b
    Examples:
      cdkd plan ablation.yaml
      cdkd plan lambda.yaml --seeds 3
      cdkd plan my_study.yaml --set train.epochs=10
    """
    from cdkd.sweep.finder import find_study
    from cdkd.sweep.listing import plan_text
    from cdkd.sweep.study_file import load_study

    click.echo(plan_text(load_study(find_study(study), settings, seeds)), nl=False)
