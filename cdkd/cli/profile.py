"""`cdkd profile`: the cost columns of Tables 2 and 3, counted from our own networks; the cost of a whole study."""

import json
from typing import TYPE_CHECKING

import click

from cdkd.cli.options import Choice, json_option, recipe_option, set_option

if TYPE_CHECKING:
    from cdkd.bench.profile import Record


@click.command(name="profile")
@click.argument("names", nargs=-1)
@click.option("--study", metavar="STUDY", help="What this study will cost, instead of the table.")
@recipe_option()
@set_option
@click.option(
    "--clips-per-second",
    type=click.FloatRange(min=0, min_open=True),
    help="In training; without, or --measure: no hours.",
)
@click.option("--size", default=224, show_default=True, type=click.IntRange(32), help="Picture side in pixels.")
@click.option("--views", default=1, show_default=True, type=click.IntRange(1), help="Views per video (clips x crops).")
@click.option("--measure", is_flag=True, help="Also measure latency, throughput and memory on this machine.")
@click.option("--device", default="auto", show_default=True, help="Where to measure: auto, cpu, cuda, cuda:1 ...")
@click.option(
    "--precision",
    default="fp32",
    show_default=True,
    type=Choice(["fp32", "bf16", "fp16"]),
    help="Of the measured pass.",
)
@click.option("--batch-size", default=1, show_default=True, type=click.IntRange(1), help="Clips per measured pass.")
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(1), help="Measured passes.")
@click.option("--threads", default=0, type=click.IntRange(0), help="CPU threads; 0: as many as PyTorch takes.")
@json_option
def command(
    names: tuple[str, ...],
    study: str | None,
    recipe: str | None,
    settings: tuple[str, ...],
    clips_per_second: float | None,
    size: int,
    views: int,
    measure: bool,
    device: str,
    precision: str,
    batch_size: int,
    repeats: int,
    threads: int,
    as_json: bool,
) -> None:
    """Multiply-adds per view and parameters of students and teachers, beside the published figures.

    NAMES choose rows; without them all are printed. With --study, --recipe or --set: the networks of that study (of
    ablation.yaml where none is named), the work of all its cells and teachers, and the disk that its data set takes.
    --clips-per-second is the speed of its dearest training step; --measure finds it out here, with batches of
    --batch-size. Hours are those of one device, as if all work went at the same multiply-adds per second.

    \b
    Examples:
      cdkd profile
      cdkd profile student-tsm-baseline student-tsm --views 6
      cdkd profile student-tsm --measure --device cuda --precision bf16 --batch-size 16
      cdkd profile --recipe ucf101 --clips-per-second 120
      cdkd profile --study lambda.yaml --recipe ssv2-lite --measure --batch-size 16
      cdkd profile --json
    """
    import torch

    from cdkd.bench.profile import MeasureSettings, profile

    if threads:
        torch.set_num_threads(threads)
    if study or recipe or settings:
        from cdkd.cli.study_cost import print_cost

        if names:
            raise click.UsageError("NAMES choose rows of the table; leave them out with --study, --recipe or --set")
        print_cost(
            study or "ablation.yaml",
            recipe,
            settings,
            clips_per_second,
            (batch_size, repeats) if measure else None,
            as_json,
        )
        return
    how = MeasureSettings(device, precision, batch_size, repeats) if measure else None
    records = profile(names, size=size, views=views, measure=how)
    if as_json:
        click.echo(json.dumps([record.as_dict() for record in records], indent=2))
        return
    click.echo(_table(records))
    if records[0].measured is not None:
        click.echo(f"\nMeasured on {records[0].measured.device}, {precision}, {size} pixels.")
    for note, concerned in _notes(records).items():
        click.echo(f"\n{', '.join(concerned)}: {note}.")


def _table(records: "list[Record]") -> str:
    from tabulate import tabulate

    rows = [_cells(record) for record in records]
    align = ("left", *["right"] * (len(rows[0]) - 1))
    text: str = tabulate([list(row.values()) for row in rows], list(rows[0]), disable_numparse=True, colalign=align)
    return text


def _cells(record: "Record") -> dict[str, str]:
    """Column title: text."""
    published, measured = record.published_gmacs_per_view, record.measured
    cells = {
        "network": record.name,
        "GMAC/view": f"{record.gmacs_per_view:.1f}",
        "published": "" if published is None else f"{published:.1f}",
        "difference": "" if published is None else f"{record.gmacs_per_view / published - 1:+.1%}",
        "parameters / M": f"{record.parameters / 1e6:.2f}",
    }
    if record.views > 1:
        cells[f"GMAC x {record.views} views"] = f"{record.gmacs_per_video:.0f}"
    if measured is not None:
        peak = measured.peak_memory_mebibytes
        cells["latency / ms"] = f"{measured.latency_milliseconds:.1f}"
        cells[f"clips/s at batch {measured.batch_size}"] = f"{measured.clips_per_second:.2f}"
        cells["peak memory / MiB"] = "" if peak is None else f"{peak:.0f}"
    return cells


def _notes(records: "list[Record]") -> dict[str, list[str]]:
    """Note: the networks it concerns."""
    notes: dict[str, list[str]] = {}
    for record in records:
        if record.note:
            notes.setdefault(record.note, []).append(record.name)
    return notes
