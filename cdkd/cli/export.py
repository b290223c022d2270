"""`cdkd export`: a trained network for other programs."""

from pathlib import Path

import click


@click.command(name="export", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model", metavar="MODEL")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write to."
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["onnx", "program"]),
    help="onnx, or program (torch.export); may be repeated.  [default: both]",
)
@click.option("--tracking-uri", help="MLflow store.  [default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db]")
def command(model: str, output: Path, formats: tuple[str, ...], tracking_uri: str | None) -> None:
    """Write a trained student (or teacher) as ONNX and as a torch.export program, for batches of any size.

    MODEL is a checkpoint, the id of a tracked run, or models:/name/version. Every file is read back, and its logits
    are compared with the network's; model.json beside them says what goes in. ONNX needs: pip install 'cdkd[export]'.

    \b
    Examples:
      cdkd export student.safetensors -o exported
      cdkd export models:/gestures/1 -o exported --format onnx
    """
    from cdkd.inference.export import export_model
    from cdkd.inference.model_reference import checkpoint_file

    with checkpoint_file(model, tracking_uri) as checkpoint:
        for found in export_model(checkpoint, output, formats or ("onnx", "program")):
            click.echo(f"{found.format}: {found.file}, logits within {found.relative_difference:.1e} of the network's")
