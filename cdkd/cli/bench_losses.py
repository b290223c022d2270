"""`cdkd bench losses`: how strongly losses pull beside the cross-entropy, at each width of the streams."""

import json
from typing import TYPE_CHECKING

import click

from cdkd.cli.options import Choice, json_option, set_option

if TYPE_CHECKING:
    from cdkd.bench.losses import LossPull


@click.command(name="losses")
@click.option(
    "--width",
    "widths",
    multiple=True,
    type=Choice(["slim", "resnet18", "resnet50"]),
    help="Of streams and teacher; may be repeated.  [default: all three]",
)
@click.option(
    "--loss",
    "losses",
    multiple=True,
    metavar="NAME",
    help="As below `distill` in the settings; may be repeated.  [default: spatial, temporal]",
)
@click.option("--size", default=112, show_default=True, type=click.IntRange(32), help="Picture side in pixels.")
@click.option("--batch-size", default=4, show_default=True, type=click.IntRange(2), help="Clips per step.")
@click.option(
    "--updates", default=3, show_default=True, type=click.IntRange(1), help="Batches for units, and for pulls."
)
@set_option
@json_option
def command(
    widths: tuple[str, ...],
    losses: tuple[str, ...],
    size: int,
    batch_size: int,
    updates: int,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Measure how strongly losses pull at the student's streams when a training starts.

    A pull is the norm of a loss's gradient on the streams' weights over that of the cross-entropy's, the median over
    some batches of the embedded data set, with random weights. It is shown at the loss's weight without calibration and
    with it; units come from other clips than the pulls. All three widths take some minutes on a CPU.

    \b
    Examples:
      cdkd bench losses
      cdkd bench losses --width slim --loss logits --loss mgd
      cdkd bench losses --width slim --size 48 --batch-size 24 --set teacher.checkpoint=teacher.safetensors
    """
    from dataclasses import asdict

    from cdkd.bench.losses import WIDTHS, LossBenchSettings, measure_losses
    from cdkd.config import parse_override

    wanted = LossBenchSettings(widths or tuple(WIDTHS), losses or ("spatial", "temporal"), size, batch_size, updates)
    rows = measure_losses(wanted, dict(parse_override(text) for text in settings))
    click.echo(json.dumps([asdict(row) for row in rows], indent=2) if as_json else _table(rows))


def _table(rows: "list[LossPull]") -> str:
    from tabulate import tabulate

    cells = [
        (
            row.width,
            f"{row.channels:,}",
            row.loss,
            f"{row.weight:g}",
            f"{row.pull_per_weight:.3g}",
            f"{row.pull:.2g}",
            f"{row.calibrated_pull:.2g}",
            f"{row.unit:.3g}",
        )
        for row in rows
    ]
    titles = ["width", "channels", "loss", "weight", "pull at 1", "at weight", "calibrated", "unit"]
    align = ("left", "right", "left", *["right"] * 5)
    table: str = tabulate(cells, titles, disable_numparse=True, colalign=align)
    return f"{table}\n\nPulls in times that of the cross-entropy."
