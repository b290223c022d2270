"""`cdkd register`: a finished run's checkpoint becomes a version of a registered model."""

import click

from cdkd.cli.options import tracking_uri_option


@click.command(name="register")
@click.argument("run_id", metavar="RUN_ID")
@click.option("--name", required=True, help="The model's name; a new one is made.")
@tracking_uri_option
def command(run_id: str, name: str, tracking_uri: str | None) -> None:
    """Register the checkpoint of RUN_ID in MLflow's model registry.

    The run's id stands in `cdkd ui`, and in the tables of `cdkd report --format csv`.

    \b
    Examples:
      cdkd register 0f3c9a... --name gestures
      cdkd predict clip.mp4 --model models:/gestures/1
    """
    from cdkd.tracking.artifacts import register_run

    version = register_run(run_id, name, tracking_uri)
    click.echo(f"registered: models:/{name}/{version}")
