"""What `cdkd profile` prints of a whole study: networks, work, hours, disk."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cdkd.bench.study_cost import StudyCost


def print_cost(
    study: str,
    recipe: str | None,
    settings: tuple[str, ...],
    clips_per_second: float | None,
    measure: tuple[int, int] | None,
    as_json: bool,
) -> None:
    """Prints it.

    Args:
        study: name or file.
        recipe: name or file, if any.
        settings: `dotted.key=value` texts.
        clips_per_second: of the dearest training step, where the user knows it.
        measure: clips per step and timed steps, to measure it here.
        as_json: for programs.

    Raises:
        ConfigError, BenchError: the study cannot be read, or its cost not be told.
    """
    from cdkd.bench.study_cost import reference_run, study_cost
    from cdkd.bench.training import measure_step
    from cdkd.sweep.study.configurations import planned_configurations
    from cdkd.sweep.study.opening import open_study

    configs = planned_configurations(open_study(study, settings, recipe=recipe))
    if measure is not None:
        clips_per_second = measure_step(reference_run(configs), *measure)
    cost = study_cost(configs, clips_per_second)
    click.echo(json.dumps(_record(cost), indent=2) if as_json else _text(cost))


def _record(cost: "StudyCost") -> dict[str, object]:
    work = [{**asdict(part), "hours": cost.hours(part.exa_macs)} for part in cost.work]
    networks = [{**asdict(network), "gmacs_per_video": network.gmacs_per_video} for network in cost.networks]
    return {**asdict(cost), "networks": networks, "work": work, "hours": cost.hours(cost.exa_macs)}


def _text(cost: "StudyCost") -> str:
    from tabulate import tabulate

    networks = [
        (n.name, f"{n.gmacs_per_view:.1f}", n.views, f"{n.gmacs_per_video:,.0f}", f"{n.parameters / 1e6:.1f}")
        for n in cost.networks
    ]
    titles = ("network", "GMAC/view", "views", "GMAC/video", "parameters / M")
    tables = [tabulate(networks, titles, disable_numparse=True, colalign=("left", *["right"] * 4))]
    rows = [
        *((part.name, part.num_runs, part.clips, part.exa_macs) for part in cost.work),
        ("all", "", None, cost.exa_macs),
    ]
    cells = [
        (name, runs, "" if clips is None else f"{clips:,.0f}", f"{work:.3g}", _hours(cost, work))
        for name, runs, clips, work in rows
    ]
    titles = ("work", "runs", "clips, views", "10^18 multiply-adds", "hours")
    tables.append(tabulate(cells, titles, disable_numparse=True, colalign=("left", *["right"] * 4)))
    return "\n\n".join([*tables, *_notes(cost)])


def _hours(cost: "StudyCost", exa_macs: float) -> str:
    hours = cost.hours(exa_macs)
    return "" if hours is None else f"{hours:,.2g}" if hours < 10 else f"{hours:,.0f}"


def _notes(cost: "StudyCost") -> list[str]:
    step = f"{cost.reference}, {cost.reference_gmacs:.0f} GMAC a clip"
    if cost.clips_per_second is None:
        notes = [f"Hours: give --clips-per-second, or --measure, of the dearest training step ({step})."]
    else:
        notes = [f"Hours of one device, at {cost.clips_per_second:.3g} clips/s in the dearest training step ({step})."]
    if (disk := cost.disk) is not None:
        notes.append(
            f"Disk: {disk.num_videos:,} videos of {disk.mean_seconds:g} s on average take about "
            f"{disk.prepared_gigabytes:,.0f} GB when prepared at 320 x 256 pixels; their packed cache takes about "
            f"{disk.packed_gigabytes:,.0f} GB more, where you make one."
        )
    return notes
