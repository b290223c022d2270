"""`cdkd bench training`: clips per second of training and inference."""

import json
from typing import TYPE_CHECKING

import click

from cdkd.cli.options import Choice, json_option, set_option

if TYPE_CHECKING:
    from cdkd.bench.training import Report


@click.command(name="training")
@click.option(
    "--preset",
    default="shapes",
    show_default=True,
    type=Choice(["shapes", "paper", "lite", "coverage"]),
    help="Student and teacher.",
)
@click.option("--batch-size", default=4, show_default=True, type=click.IntRange(1), help="Clips per step.")
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(1), help="Timed steps of each row.")
@set_option
@json_option
def command(preset: str, batch_size: int, repeats: int, settings: tuple[str, ...], as_json: bool) -> None:
    """Measure training and inference of a student and its teacher, on random inputs in memory.

    Ratios are to the first row of each group: of inference the teacher, of training the plain three-stream network. The
    share of the peak is relative to a large matrix product on the same device in the same precision.

    \b
    Examples:
      cdkd bench training
      cdkd bench training --preset paper --batch-size 32 --set train.precision=bf16
      cdkd bench training --preset paper --batch-size 32 --set runtime.channels_last=true --set runtime.compile=true
    """
    from dataclasses import asdict

    from cdkd.bench.training import measure_training
    from cdkd.config import parse_override

    report = measure_training(preset, dict(parse_override(text) for text in settings), batch_size, repeats)
    click.echo(json.dumps(asdict(report), indent=2) if as_json else _table(report))


def _table(report: "Report") -> str:
    from tabulate import tabulate

    rows = [
        (
            row.group,
            row.name,
            f"{row.clips_per_second:.3g}",
            f"{row.ratio:.2f}",
            "" if row.peak_memory_mebibytes is None else f"{row.peak_memory_mebibytes:.0f}",
            f"{row.tera_flops:.3g}",
            f"{row.fraction_of_peak:.0%}",
        )
        for row in report.rows
    ]
    titles = ["", "step", "clips/s", "ratio", "peak memory / MiB", "TFLOP/s", "of peak"]
    table: str = tabulate(rows, titles, disable_numparse=True, colalign=("left", "left", *["right"] * 5))
    return (
        f"{table}\n\n{report.device}, {report.precision}, batches of {report.batch_size}, preset {report.preset}; "
        f"a large matrix product reaches {report.peak_tera_flops:.3g} TFLOP/s."
    )
