"""`cdkd teacher`: published teachers become checkpoints of this package."""

import json
from pathlib import Path

import click

from cdkd.cli.command_group import CommandGroup
from cdkd.cli.options import PATH, Choice, json_option, output_option
from cdkd.settings import TEACHERS


@click.group(name="teacher", cls=CommandGroup)
def command() -> None:
    """Bring published checkpoints of TSM, TDN and torchvision's video networks into a run.

    \b
    Examples:
      cdkd teacher import TSM_kinetics_..._segment8_e50.pth --arch tsm -o tsm8.safetensors
      cdkd sweep ablation.yaml --recipe ssv2 --set data.root=prepared/ssv2 \\
          --teacher tsm=tsm8.safetensors
    """


@command.command(name="import")
@click.argument("file", type=PATH)
@click.option("--arch", required=True, type=Choice(list(TEACHERS)), help="Whose network the file holds.")
@click.option(
    "--num-segments",
    type=click.IntRange(1),
    help="Segments it was trained with; read from the file name (...segment8...) where that says it.",
)
@output_option("The checkpoint (.safetensors; its description goes beside it as .json).", required=True)
@json_option
def import_command(file: Path, arch: str, num_segments: int | None, output: Path, as_json: bool) -> None:
    """Convert the authors' FILE (.pth, .pth.tar; MMAction2's TSM and torchvision's networks too) to a checkpoint.

    Nothing in the file is executed: tensors and plain values are read, anything else is refused. A key that is
    unknown, missing or of another shape is an error; the file is never loaded by halves.

    \b
    Examples:
      cdkd teacher import TSM_kinetics_..._segment8_e50.pth --arch tsm -o tsm8.safetensors
      cdkd teacher import best.pth.tar --arch tdn --num-segments 16 -o tdn16.safetensors
      cdkd teacher import s3d-d76dad2f.pth --arch s3d -o s3d.safetensors
    """
    from cdkd.models.weights.teacher_import import import_teacher
    from cdkd.report.tables.networks import STUDIES

    report, segments = import_teacher(file, arch, num_segments, output)
    if as_json:
        from dataclasses import asdict

        click.echo(json.dumps({**asdict(report), "num_segments": segments}, indent=2))
        return
    click.echo(f"{file}: {report.naming} names, {report.backbone}, {report.num_classes} classes, {segments} segments")
    click.echo(f"  mapped   {len(report.mapped)} keys")
    click.echo(f"  folded   {len(report.folded)} convolution biases into the batch norms that follow them")
    click.echo(f"  dropped  {len(report.dropped)} keys" + "".join(f"\n    {key}: {why}" for key, why in report.dropped))
    click.echo(f"  missing  {len(report.missing)} batch counters, set to 0")
    click.echo(f"written: {output} and {output.with_suffix('.json')}")
    study = STUDIES.get(arch, "teachers.yaml")
    click.echo(f"use it:  cdkd sweep {study} --recipe NAME --teacher {arch}={output}  (cdkd recipes lists them)")
