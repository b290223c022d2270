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
    type=Choice(["program", "onnx"]),
    help="program (torch.export) or onnx; may be repeated.  [default: program, and onnx where it is installed]",
)
@tracking_uri_option
def command(model: str, output: Path, formats: tuple[str, ...], tracking_uri: str | None) -> None:
    """Write a trained student (or teacher) as a torch.export program and as ONNX, for batches of any size.

    MODEL is a checkpoint, the id of a tracked run, or models:/name/version. Every file is read back, and its logits
    are compared with the network's; model.json beside them says what goes in. ONNX needs: pip install 'cdkd[export]'.

    \b
    Examples:
      cdkd export student.safetensors -o exported
      cdkd export models:/gestures/1 -o exported --format onnx
    """
    from cdkd.inference.export import ONNX_REMEDY, default_formats, export_model
    from cdkd.inference.model_reference import checkpoint_file

    with checkpoint_file(model, tracking_uri) as checkpoint:
        for found in export_model(checkpoint, output, formats or default_formats()):
            click.echo(f"{found.format}: {found.file}, logits within {found.relative_difference:.1e} of the network's")
    if not formats and "onnx" not in default_formats():
        click.echo(f"onnx: not written, its packages are not installed: {ONNX_REMEDY}")
