"""`cdkd data`: look at videos; prepare, check and list data sets."""

import json
from pathlib import Path

import click

from cdkd.cli.command_group import CommandGroup
from cdkd.cli.data_sets import commands
from cdkd.cli.options import json_option, output_option


@click.group(cls=CommandGroup)
def command() -> None:
    """Prepare, check and look at videos and data sets.

    \b
    Examples:
      cdkd data inspect clip.mp4                 what is in it, and can cdkd read it
      cdkd data show clip.mp4 -o sheet.png       I-frame, motion and residual as a picture
      cdkd data prepare ucf101 --source UCF-101 -o prepared/ucf101
      cdkd data check ucf101
    """


@command.command()
@click.argument("video", type=click.Path(path_type=Path))
@json_option
def inspect(video: Path, as_json: bool) -> None:
    """Say what VIDEO holds and whether and how cdkd reads it.

    \b
    Examples:
      cdkd data inspect clip.avi
      cdkd data inspect clip.avi --json | jq .info.gop_lengths
    """
    from cdkd.video.inspect import format_inspection, inspect_video

    inspection = inspect_video(video)
    click.echo(json.dumps(inspection.as_dict(), indent=1) if as_json else format_inspection(inspection))


@command.command()
@click.argument("video", type=click.Path(path_type=Path))
@output_option("Contact sheet of one GOP (.png, .pdf, .svg).")
@click.option("--mp4", type=click.Path(path_type=Path), help="The whole video: frame, motion and residual in a row.")
@click.option("--gop", type=click.IntRange(0), help="Which GOP to draw; default: the one with most motion.")
@click.option("--per-frame", is_flag=True, help="Relative to the frame before instead of the I-frame.")
def show(video: Path, output: Path | None, mp4: Path | None, gop: int | None, per_frame: bool) -> None:
    """Draw what a network sees of VIDEO: I-frame, motion (colours and arrows), residual, and the frame itself.

    \b
    Examples:
      cdkd data show clip.mp4 -o sheet.png
      cdkd data show clip.mp4 -o sheet.png --gop 3 --per-frame
      cdkd data show clip.mp4 --mp4 seen.mp4
    """
    from cdkd.video.show import save_sheet, save_video

    if output is None and mp4 is None:
        raise click.UsageError("Nothing to draw: give -o SHEET.png, --mp4 OUT.mp4, or both.")
    if output is not None:
        chosen = save_sheet(video, output, gop, accumulated=not per_frame)
        click.echo(f"wrote {output} (GOP {chosen})")
    if mp4 is not None:
        num_frames = save_video(video, mp4, accumulated=not per_frame)
        click.echo(f"wrote {mp4} ({num_frames} frames)")


for _command in commands:
    command.add_command(_command)
