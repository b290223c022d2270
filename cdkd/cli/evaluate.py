"""`cdkd evaluate`: a trained network on another data set, split or protocol."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from cdkd.cli.options import Choice, json_option, output_option, set_option, tracking_uri_option

if TYPE_CHECKING:
    from cdkd.data.manifest import Part

_STEPS = 1000
"""Of the bar that shows how far it is."""


@click.command(name="evaluate")
@click.argument("model", metavar="MODEL")
@set_option
@click.option(
    "--part",
    type=Choice(["test", "validation", "train", "pretrain"]),
    default="test",
    show_default=True,
    help="Which part of the data set.",
)
@output_option("Score file: .parquet, .csv or .npz.  [default: scores-PART.parquet]")
@json_option
@tracking_uri_option
def command(
    model: str,
    settings: tuple[str, ...],
    part: str,
    output: Path | None,
    as_json: bool,
    tracking_uri: str | None,
) -> None:
    """Test MODEL, print its accuracies, and write its score of every video, which `cdkd compare` reads.

    MODEL is a checkpoint file, the id of a tracked run, or models:/name/version. Without --set it is tested on the data
    and by the protocol of its training; --set changes settings of data, evaluation and runtime. The data set's classes
    must be among those that the network knows, by name.

    \b
    Examples:
      cdkd evaluate student.safetensors
      cdkd evaluate 0f3c9a... --set data.split=2 -o split2.parquet
      cdkd evaluate models:/gestures/1 --set data.name=folder --set data.root=/data/my-videos
      cdkd evaluate student.safetensors --set evaluation.clips=10 --set evaluation.crops=3 -o views30.npz
      cdkd compare scores-test.parquet views30.npz
    """
    from cdkd.config import parse_override
    from cdkd.experiment.evaluation import evaluate_checkpoint, score_columns
    from cdkd.inference.model_reference import checkpoint_file
    from cdkd.report.score_set import score_bytes
    from cdkd.report.writing import write_report

    # Asked first: a test may take hours.
    score_bytes(path := output or Path(f"scores-{part}.parquet"), {})
    overrides = dict(parse_override(text) for text in settings)
    with (
        checkpoint_file(model, tracking_uri) as checkpoint,
        click.progressbar(length=_STEPS, label=f"testing {model}", file=sys.stderr) as bar,
    ):
        found = evaluate_checkpoint(
            checkpoint, overrides, cast("Part", part), lambda done: bar.update(round(done * _STEPS) - bar.pos)
        )
    write_report(path, score_bytes(path, score_columns(found.scores)))
    top1, top5 = found.scores.accuracy(1), found.scores.accuracy(5)
    if as_json:
        record = {"model": model, "dataset": found.config.data.name, "part": part, "top1": top1, "top5": top5}
        click.echo(
            json.dumps({**record, "num_videos": len(found.scores.videos), "scores": str(path), **found.metadata})
        )
        return
    click.echo(f"{found.config.data.name}, {part} part, split {found.metadata['split']}, {found.metadata['views']}")
    click.echo(f"top-1 {top1:.2f} %, top-5 {top5:.2f} % of {len(found.scores.videos):,} videos")
    click.echo(f"written: {path}")
