"""`cdkd plan`: a study's cells and their state."""

import click


@click.command()
@click.argument("study")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a setting of every cell.")
@click.option("--only", multiple=True, metavar="AXIS=LABEL", help="Only cells with this label; may be repeated.")
@click.option("--seeds", default=None, help="A count, or numbers between commas; default: the study's.")
def command(study: str, settings: tuple[str, ...], only: tuple[str, ...], seeds: str | None) -> None:
    """List the cells of STUDY and their state; trains nothing.

    STUDY is a file, or the name of one in ./sweeps or of those that come with cdkd.

    \b
    Examples:
      cdkd plan ablation.yaml
      cdkd plan lambda.yaml --seeds 3
      cdkd plan my_study.yaml --set train.epochs=10
    """
    from cdkd.sweep.display.listing import plan_text
    from cdkd.sweep.study.filter import narrow
    from cdkd.sweep.study.finder import find_study
    from cdkd.sweep.study.reading import load_study

    click.echo(plan_text(narrow(load_study(find_study(study), settings, seeds), only)), nl=False)
