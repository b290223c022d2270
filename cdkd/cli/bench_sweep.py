"""`cdkd bench sweep`: what the engine costs, and where the time of a study's cell goes."""

import json
from typing import TYPE_CHECKING

import click

from cdkd.cli.options import Choice, json_option, recipe_option, set_option, storage_option, teacher_option

if TYPE_CHECKING:
    from cdkd.bench.cell_time import CellTime
    from cdkd.bench.sweep_engine import EngineRow
    from cdkd.settings import RunConfig


@click.command(name="sweep")
@click.argument("study", default="ablation.yaml")
@recipe_option()
@teacher_option
@set_option
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=Choice(["engine", "cell"]),
    help="The engine's costs, or a cell's time; may be repeated.  [default: both]",
)
@click.option("--cells", default=200, show_default=True, type=click.IntRange(2), help="Cells that do nothing.")
@click.option("--planned", default=10_000, show_default=True, type=click.IntRange(2), help="Cells of the long study.")
@click.option("--workers", default=4, show_default=True, type=click.IntRange(2), help="Processes that share the cells.")
@click.option("--epochs", default=3, show_default=True, type=click.IntRange(1), help="Of the cell whose time is told.")
@click.option(
    "--repeats", default=3, show_default=True, type=click.IntRange(1), help="Of it with tracking and without."
)
@storage_option
@json_option
def command(
    study: str,
    recipe: str | None,
    teachers: tuple[str, ...],
    settings: tuple[str, ...],
    parts: tuple[str, ...],
    cells: int,
    planned: int,
    workers: int,
    epochs: int,
    repeats: int,
    storage: str | None,
    as_json: bool,
) -> None:
    """Measure what a sweep costs beside its trainings, and where the time of one cell of STUDY goes.

    The engine is measured on cells that do nothing: the ratio is to the first row of each group. With --storage, claims
    and workers go through that PostgreSQL database, in studies of their own that are removed again. The cell is that of
    STUDY with the dearest training step, cut to --epochs; a teacher without a file has random weights, which costs the
    same. Everything is written to a temporary folder (TMPDIR names another place).

    \b
    Examples:
      cdkd bench sweep
      cdkd bench sweep --part engine --cells 1000 --storage postgresql+psycopg://me@db.example/cdkd
      cdkd bench sweep lambda.yaml --part cell --epochs 10
      cdkd bench sweep --part cell --recipe ucf101 --set data.root=prepared/ucf101 --json
    """
    from dataclasses import asdict

    wanted = parts or ("engine", "cell")
    found: dict[str, object] = {}
    texts = []
    if "cell" in wanted:
        # Before anything is measured: a study that cannot be read is told at once.
        config = _dearest(study, settings, recipe, teachers, epochs)
    if "engine" in wanted:
        from cdkd.bench.sweep_engine import EngineSettings, measure_engine

        lengths = tuple(length for length in (100, 1_000, 10_000) if length <= planned) or (planned,)
        rows = measure_engine(EngineSettings(cells, planned, lengths, workers, storage), _tell)
        found["engine"] = [asdict(row) for row in rows]
        texts.append(_engine_table(rows))
    if "cell" in wanted:
        time = _measure_cell(config, repeats)
        found["cell"] = {
            **asdict(time),
            "seconds": time.seconds,
            "tracking_ratio": time.tracking_ratio,
            "processor_ratio": time.processor_ratio,
            "network_fraction": time.network_fraction,
        }
        texts.append(_cell_table(time, epochs))
    click.echo(json.dumps(found, indent=1) if as_json else "\n\n".join(texts))


def _tell(what: str) -> None:
    click.echo(f"measuring: {what}", err=True)


def _dearest(
    study: str, settings: tuple[str, ...], recipe: str | None, teachers: tuple[str, ...], epochs: int
) -> "RunConfig":
    from cdkd.bench.study_cost import reference_run
    from cdkd.sweep.study.configurations import planned_configurations
    from cdkd.sweep.study.opening import open_study

    config = reference_run(
        planned_configurations(open_study(study, settings, seeds="1", recipe=recipe, teachers=teachers))
    )
    warmup = min(config.train.warmup_epochs, epochs / 2)
    train = config.train.model_copy(update={"epochs": epochs, "warmup_epochs": warmup})
    return config.model_copy(update={"train": train})


def _measure_cell(config: "RunConfig", repeats: int) -> "CellTime":
    import tempfile
    from pathlib import Path

    from cdkd.bench.cell_time import measure_cell

    with tempfile.TemporaryDirectory(prefix="cdkd-bench-") as folder:
        return measure_cell(config, Path(folder), repeats, _tell)


def _engine_table(rows: "list[EngineRow]") -> str:
    from tabulate import tabulate

    cells = [(row.group, row.name, f"{row.value:.3g}", row.unit, f"{row.ratio:.2f}", row.target) for row in rows]
    titles = ("what", "of", "measured", "", "ratio", "target")
    align = ("left", "left", "right", "left", "right", "left")
    table: str = tabulate(cells, titles, disable_numparse=True, colalign=align)
    return table


def _cell_table(time: "CellTime", epochs: int) -> str:
    from tabulate import tabulate

    cells = [(part, f"{seconds:.2f}", f"{seconds / time.seconds:.1%}") for part, seconds in time.parts.items()]
    cells.append(("all", f"{time.seconds:.2f}", "100.0%"))
    table: str = tabulate(
        cells, ("a cell's time", "s", "share"), disable_numparse=True, colalign=("left", *["right"] * 2)
    )
    return (
        f"{table}\n\n{epochs} epochs, validated and tested; once per worker, {time.process_seconds:.1f} s more for its "
        f"process.\nTracked training to the bare one (nothing logged): {time.tracked_seconds:.2f} s / "
        f"{time.bare_seconds:.2f} s = {time.tracking_ratio:.3f} (at most 1.02); "
        f"in processor time {time.processor_ratio:.3f}."
    )
