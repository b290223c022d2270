"""`cdkd data`: look at videos, re-encode one; prepare, check and list data sets."""

import json
import sys
from pathlib import Path

import click

from cdkd.cli.command_group import CommandGroup
from cdkd.cli.data_sets import commands
from cdkd.cli.options import PATH, json_option, output_option
from cdkd.modality import MotionReference, PFrameForm, ResidualKind

_STEPS = 1000
"""Of a progress bar."""


@click.group(cls=CommandGroup)
def command() -> None:
    """Prepare, check and look at videos and data sets.

    \b
    Examples:
      cdkd data inspect clip.mp4                 what is in it, and can cdkd read it
      cdkd data show clip.mp4 -o sheet.png       I-frame, motion and residual as a picture
      cdkd data transcode clip.webm clip.mp4     one file into what cdkd reads
      cdkd data prepare ucf101 --source UCF-101 -o prepared/ucf101
      cdkd data check ucf101
    """


@command.command()
@click.argument("video", type=PATH)
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
@click.argument("video", type=PATH)
@output_option("Contact sheet of one GOP (.png, .pdf, .svg).")
@click.option("--mp4", type=PATH, help="The whole video: frame, motion and residual in a row.")
@click.option("--gop", type=click.IntRange(0), help="Which GOP to draw; default: the one with most motion.")
@click.option("--per-frame", is_flag=True, help="Relative to the frame before instead of the I-frame.")
@click.option(
    "--residual",
    default="exact",
    show_default=True,
    type=click.Choice([kind.value for kind in ResidualKind]),
    help="As data.residual.",
)
def show(video: Path, output: Path | None, mp4: Path | None, gop: int | None, per_frame: bool, residual: str) -> None:
    """Draw what a network sees of VIDEO: I-frame, motion (colours and arrows), residual, and the frame itself.

    \b
    Examples:
      cdkd data show clip.mp4 -o sheet.png
      cdkd data show clip.mp4 -o sheet.png --gop 3 --per-frame
      cdkd data show clip.mp4 -o sheet.png --residual coviar
      cdkd data show clip.mp4 --mp4 seen.mp4
    """
    from cdkd.video.show import save_sheet, save_video

    if output is None and mp4 is None:
        raise click.UsageError("Nothing to draw: give -o SHEET.png, --mp4 OUT.mp4, or both.")
    form = PFrameForm(MotionReference.FRAME_BEFORE if per_frame else MotionReference.IFRAME, ResidualKind(residual))
    if output is not None:
        chosen = save_sheet(video, output, gop, form)
        click.echo(f"wrote {output} (GOP {chosen})")
    if mp4 is not None:
        num_frames = save_video(video, mp4, form)
        click.echo(f"wrote {mp4} ({num_frames} frames)")


@command.command()
@click.argument("source", metavar="IN", type=PATH)
@click.argument("target", metavar="OUT", type=PATH)
@click.option("--width", type=click.IntRange(16), help="Pixels; default: the source's, in whole macroblocks of 16.")
@click.option("--height", type=click.IntRange(16), help="Pixels; with one of the two, proportions are kept.")
@click.option("--gop", type=click.IntRange(2, 600), default=12, show_default=True, help="Frames per I-frame.")
@click.option("--quantiser", type=click.IntRange(1, 31), default=3, show_default=True, help="1 is the finest.")
@click.option("--force", is_flag=True, help="Write over OUT where it exists.")
def transcode(
    source: Path, target: Path, width: int | None, height: int | None, gop: int, quantiser: int, force: bool
) -> None:
    """Re-encode one video, IN, as cdkd reads it best: MPEG-4 Part 2 with a fixed GOP and no B-frames, without sound.

    Any video that FFmpeg decodes will do. OUT should end in .mp4. `cdkd data prepare` does the same for a whole data
    set, at --width 320 --height 256.

    \b
    Examples:
      cdkd data transcode clip.webm clip.mp4
      cdkd data transcode clip.mov small.mp4 --width 320 --height 256 --quantiser 1
      cdkd data transcode clip.avi clip.mp4 --height 240 --force
    """
    from cdkd.errors import CdkdError
    from cdkd.video.transcode import transcode as run

    if target.exists() and (source.resolve() == target.resolve() or not force):
        reason = "is IN itself; choose another OUT" if source.resolve() == target.resolve() else "exists; give --force"
        raise CdkdError(f"{target}: {reason}")
    with click.progressbar(length=_STEPS, label="transcoding", file=sys.stderr) as bar:
        num_frames = run(
            source, target, width=width, height=height, gop_length=gop, quantiser=quantiser, must_be_whole=True,
            progress=lambda fraction: bar.update(int(fraction * _STEPS) - bar.pos),
        )  # fmt: skip
    click.echo(f"wrote {target} ({num_frames} frames)")


for _command in commands:
    command.add_command(_command)
