"""`cdkd bench loading`: clips per second from video, from the packed cache and from memory."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdkd.cli.options import PATH, json_option

if TYPE_CHECKING:
    from cdkd.bench.loading import LoadingReport


@click.command(name="loading")
@click.option("--root", type=PATH, help="A prepared data set; default: videos made for it.")
@click.option("--videos", default=4, show_default=True, type=click.IntRange(1), help="How many videos are read.")
@click.option("--clips", default=8, show_default=True, type=click.IntRange(1), help="Clips of each video.")
@click.option("--batch-size", default=8, show_default=True, type=click.IntRange(1), help="Clips per batch.")
@click.option("--workers", default=0, show_default=True, type=click.IntRange(0), help="Processes that read ahead.")
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(1), help="Measured turns of each row.")
@json_option
def command(
    root: Path | None, videos: int, clips: int, batch_size: int, workers: int, repeats: int, as_json: bool
) -> None:
    """Measure how fast clips are loaded; ratios are to reading the videos.

    A clip is one GOP with 6 P-frames: I-frame, motion, residual and the teacher's frames. The cache is made in a
    temporary folder (TMPDIR names another place) and removed again.

    \b
    Examples:
      cdkd bench loading
      cdkd bench loading --root prepared/ucf101 --workers 4
    """
    import tempfile
    from dataclasses import asdict

    from cdkd.bench.loading import LoadingSettings, measure_loading

    settings = LoadingSettings(videos, clips, batch_size, workers, repeats)
    with tempfile.TemporaryDirectory(prefix="cdkd-loading-") as folder:
        report = measure_loading(Path(folder), settings, root)
    click.echo(json.dumps(asdict(report), indent=1) if as_json else _table(report))


def _table(report: "LoadingReport") -> str:
    from tabulate import tabulate

    sizes = {
        "video": report.video_bytes_per_thousand_clips,
        "packed cache": report.packed_bytes_per_thousand_clips,
        "memory": report.memory_bytes_per_thousand_clips,
    }
    cells = [
        (row.way, f"{row.clips_per_second:.1f}", f"{row.ratio:.2f}", f"{sizes[row.way] / 1e9:.2f}")
        for row in report.rows
    ]
    headers = ("clips from", "clips/s", "ratio", "GB per 1,000 clips")
    table: str = tabulate(cells, headers, colalign=("left", "right", "right", "right"), disable_numparse=True)
    return (
        f"{table}\n{report.num_clips} clips of {report.width}x{report.height} pixels; "
        f"packing them once: {report.packed_clips_per_second:.1f} clips/s"
    )
