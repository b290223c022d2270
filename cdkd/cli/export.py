"""`cdkd export`: a trained network for other programs."""

from pathlib import Path

import click

from cdkd.cli.options import FOLDER, Choice, output_option, tracking_uri_option


@click.command(name="export")
@click.argument("model", metavar="MODEL")
@output_option("Folder to write to.", FOLDER, required=True)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=Choice(["onnx", "program"]),
    help="onnx, or program (torch.export); may be repeated.  [default: both]",
)
@tracking_uri_option
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
