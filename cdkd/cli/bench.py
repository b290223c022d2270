"""`cdkd bench`: benchmarks that print ratios against named alternatives of the same run."""

import json
from pathlib import Path

import click

from cdkd.cli.bench_inference import command as inference
from cdkd.cli.bench_loading import command as loading
from cdkd.cli.bench_losses import command as losses
from cdkd.cli.bench_report import command as report
from cdkd.cli.bench_sweep import command as sweep
from cdkd.cli.bench_training import command as training
from cdkd.cli.command_group import CommandGroup
from cdkd.cli.options import PATH, json_option


@click.group(cls=CommandGroup)
def command() -> None:
    """Benchmarks, as ratios against named alternatives.

    \b
    Examples:
      cdkd bench reader                    a video made for it
      cdkd bench reader my.mp4 --json      your own
      cdkd bench training --preset paper   clips per second of student and teacher
      cdkd bench inference                 milliseconds per video, raw and compressed, decoding and network
      cdkd bench loading                   clips per second from video, packed cache, memory
      cdkd bench losses                    how strongly losses pull, at each width
      cdkd bench sweep                     what the sweep engine costs, and where a cell's time goes
      cdkd bench report                    seconds of a table of 1,000 tracked runs
    """


command.add_command(training)
command.add_command(loading)
command.add_command(inference)
command.add_command(losses)
command.add_command(sweep)
command.add_command(report)


@command.command()
@click.argument("videos", nargs=-1, type=PATH)
@click.option("--repeats", type=click.IntRange(1), default=9, show_default=True, help="Turns of each row.")
@json_option
def reader(videos: tuple[Path, ...], repeats: int, as_json: bool) -> None:
    """Measure the compressed-domain reader.

    The rows of a group take turns; in its turn a row runs for a quarter of a second, after once for nothing. Shown is
    the median of its turns in processor time, and its ratio to the group's first row. `motion-vector-extractor` and
    `decord` take part where they are installed. VIDEOS should be MPEG-4 Part 2 with GOPs of 12 frames; without any, a
    320x256 video is made.

    \b
    Examples:
      cdkd bench reader
      cdkd bench reader prepared/*.mp4 --repeats 5
    """
    import tempfile
    from dataclasses import asdict

    from cdkd.bench.reader import measure, measure_memory, write_sample

    with tempfile.TemporaryDirectory() as folder:
        if not videos:
            videos = (Path(folder) / "sample.mp4",)
            write_sample(videos[0])
        rows = measure(videos, repeats)
        memory = [measure_memory(path) for path in videos]
    if as_json:
        click.echo(json.dumps({"rows": [asdict(row) for row in rows], "memory": [asdict(m) for m in memory]}, indent=1))
        return
    from tabulate import tabulate

    cells = [
        (row.video, row.group, row.name, f"{row.milliseconds:.2f}", f"{row.ratio:.2f}", row.target or "")
        for row in rows
    ]
    headers = ("video", "what", "way", "ms", "ratio", "at most")
    click.echo(tabulate(cells, headers, colalign=("left", "left", "left", "right", "right", "right")))
    for entry in memory:
        click.echo(f"memory of a worker on {entry.video}: {entry.start_mib:.0f} MiB, {entry.peak_mib:.0f} MiB at peak")
