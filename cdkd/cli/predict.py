"""`cdkd predict`: what a trained network sees in a video."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdkd.cli.options import PATH, json_option, tracking_uri_option

if TYPE_CHECKING:
    from cdkd.inference.predict import Prediction


@click.command(name="predict")
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO...", type=PATH)
@click.option("--model", required=True, help="A checkpoint, the id of a tracked run, or models:/name/version.")
@click.option("--top", default=5, show_default=True, type=click.IntRange(1), help="Classes to show.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ...")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="CPU threads of the network.")
@json_option
@tracking_uri_option
def command(
    videos: tuple[Path, ...],
    model: str,
    top: int,
    device: str,
    threads: int,
    as_json: bool,
    tracking_uri: str | None,
) -> None:
    """Print the best classes of every VIDEO, with scores and the time it took.

    Any video that FFmpeg reads will do. A student reads P-frames of groups of pictures as long as those it was trained
    on; other videos are transcoded to such ones first, in a temporary folder. A video that cannot be read is reported,
    the others are still predicted, and the command exits with 1.

    \b
    Examples:
      cdkd predict clip.mp4 --model model.safetensors
      cdkd predict *.webm --model 0f3c9a... --top 3
      cdkd predict clip.mp4 --model models:/gestures/1 --json
    """
    import torch

    from cdkd.errors import CdkdError
    from cdkd.inference.predict import Predictor
    from cdkd.models.devices import choose_device

    torch.set_num_threads(threads)
    predictor = Predictor.from_run(model, choose_device(device, "--device"), tracking_uri)
    records: list[dict[str, object]] = []
    for video in videos:
        try:
            prediction = predictor.predict(video, top)
        except CdkdError as error:
            records.append({"video": str(video), "error": str(error)})
            click.echo(f"cdkd: {error}", err=True)
            continue
        records.append(prediction.as_dict())
        if not as_json:
            click.echo(_text(prediction))
    if as_json:
        click.echo(json.dumps(records, indent=2))
    sys.exit(1 if any(record["error"] for record in records) else 0)


def _text(prediction: "Prediction") -> str:
    lines = [str(prediction.video)]
    lines += [f"  {score:6.1%}  {name}" for name, score in zip(prediction.classes, prediction.scores, strict=True)]
    if prediction.transcoded_because:
        seconds = prediction.transcode_seconds
        lines.append(f"  transcoded first, in {seconds:.2f} s: {prediction.transcoded_because}")
    lines.append(
        f"  decoding {prediction.decode_seconds * 1e3:.1f} ms, network {prediction.network_seconds * 1e3:.1f} ms"
    )
    return "\n".join(lines)
