"""`cdkd bench inference`: what a video costs end to end, raw and compressed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdkd.cli.options import PATH, json_option

if TYPE_CHECKING:
    from cdkd.bench.inference import Row


@click.command(name="inference")
@click.argument("videos", nargs=-1, metavar="[VIDEO]...", type=PATH)
@click.option(
    "--way", "ways", multiple=True, metavar="WAY", help="teacher, student, ...; may be repeated.  [default: all]"
)
@click.option("--size", default=224, show_default=True, type=click.IntRange(32), help="Picture side in pixels.")
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(1), help="Turns of every row.")
@click.option("--device", default="cpu", show_default=True, help="Of the networks: auto, cpu, cuda, cuda:1 ...")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="CPU threads of the networks.")
@json_option
def command(
    videos: tuple[Path, ...],
    ways: tuple[str, ...],
    size: int,
    repeats: int,
    device: str,
    threads: int,
    as_json: bool,
) -> None:
    """Measure one view of each VIDEO from the file to its scores: decoding, network, and both together.

    The teacher decodes 8 frames over the whole video for TSM on ResNet-50; the student, the plain three streams and
    `lite` read one group of pictures with 6 P-frames as I-frame, motion and residual; CoViAR reads three triples.
    Weights are random, which costs the same. The rows take turns; shown are medians, and ratios to the first row. On a
    CPU processor time is measured. Videos should be MPEG-4 Part 2 with groups of pictures of 12 frames, as `cdkd data
    transcode` makes them; without any, one of 340x256 pixels is made.

    \b
    Examples:
      cdkd bench inference
      cdkd bench inference clips/*.mp4 --way teacher --way lite
      cdkd bench inference clip.mp4 --device cuda --json
    """
    import tempfile
    from dataclasses import asdict

    import torch

    from cdkd.bench.inference import WAYS, InferenceSettings, measure_inference
    from cdkd.bench.reader import write_sample

    for name in ways:
        if name not in WAYS:
            raise click.UsageError(f"--way {name}: no such row; there are {', '.join(WAYS)}")
    torch.set_num_threads(threads)
    settings = InferenceSettings(ways or tuple(WAYS), size, repeats, device)
    with tempfile.TemporaryDirectory(prefix="cdkd-inference-") as folder:
        if not videos:
            videos = (Path(folder) / "sample.mp4",)
            write_sample(videos[0], width=340)
        rows = measure_inference(videos, settings)
    if as_json:
        click.echo(
            json.dumps([{**asdict(row), "total_milliseconds": row.total_milliseconds} for row in rows], indent=1)
        )
        return
    click.echo(_table(rows))


def _table(rows: "list[Row]") -> str:
    from tabulate import tabulate

    cells = [
        (
            row.video,
            row.way,
            f"{row.decode_milliseconds:.1f}",
            f"{row.network_milliseconds:.0f}",
            f"{row.total_milliseconds:.0f}",
            f"{row.decode_ratio:.2f}",
            f"{row.network_ratio:.2f}",
            f"{row.total_ratio:.2f}",
            f"{row.gmacs_per_view:.1f}",
        )
        for row in rows
    ]
    titles = [
        "video",
        "way",
        "decode / ms",
        "network / ms",
        "total / ms",
        "decode ratio",
        "network ratio",
        "total ratio",
    ]
    table: str = tabulate(cells, [*titles, "GMAC"], disable_numparse=True, colalign=("left", "left", *["right"] * 7))
    return table
