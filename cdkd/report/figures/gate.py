"""The attention gate's weights along two test clips, above the frames that they weigh."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cdkd.report.aggregate import TableRow
from cdkd.report.assemble import Report
from cdkd.report.figures.definition import Evidence, rows_figure
from cdkd.report.figures.inspections import inspections_of, mosaic, shaded
from cdkd.report.figures.predictions import readable, rows_by_accuracy
from cdkd.report.figures.row_looks import row_names
from cdkd.report.figures.style import BLUE, INK, MUTED, Drawing, legend_below, tidy
from cdkd.tracking.inspection import Inspection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOW, _HIGH = 10, 90
"""Percentiles of the clips that whiskers reach to."""


def _drawing(stem: str, report: Report, rows: Sequence[TableRow], evidence: Evidence) -> Drawing | None:
    for row in rows_by_accuracy(rows):
        gated = next((one for one in inspections_of(row, evidence) if one.has_gate), None)
        if gated is not None:
            break
    else:
        return None
    name = row_names(rows)[list(rows).index(row)]
    return Drawing(
        name=stem,
        title=f"Attention gate of row {name} on {report.dataset}",
        caption=(
            "The gate's weights over the time steps of two test clips, as bars from equal weights (dashed), by one "
            f"network of row {name}, the most accurate with a gate; below them what they weigh: P-frames, motion, "
            f"residual, brighter where larger. Black: mean over {len(gated.gates)} test clips, whiskers from their "
            f"{_LOW}th to their {_HIGH}th percentile."
        ),
        alt=_finding(gated, name),
        height=4.2,
        draw=lambda figure: _draw(figure, gated),
    )


def _finding(gated: Inspection, name: str) -> str:
    mean = gated.gates.mean(axis=0)
    high, low = int(mean.argmax()), int(mean.argmin())
    spread = float(np.mean(np.percentile(gated.gates, _HIGH, axis=0) - np.percentile(gated.gates, _LOW, axis=0)))
    if mean[high] - mean[low] < 0.02 * mean.mean() and spread < 0.02 * mean.mean():
        return f"The gate of row {name} gives every frame of every clip the same weight, within 2 %."
    return (
        f"The gate of row {name} weighs time step {high + 1} most, {mean[high]:.3f} on average, and "
        f"step {low + 1} least, {mean[low]:.3f}; equal weights would be {mean.mean():.3f}. "
        f"From clip to clip a step's weight spreads over "
        f"{spread:.3f}."
    )


def _draw(figure: "Figure", gated: Inspection) -> None:
    num = len(gated.example_videos)
    panels = figure.subplots(2, num, squeeze=False, height_ratios=(1.0, 1.55), sharey="row", sharex="col")
    for index in range(num):
        _draw_weights(panels[0][index], gated, index)
        panels[0][index].set_title(readable(str(gated.classes[gated.example_labels[index]])))
        _draw_frames(panels[1][index], gated, index)
    panels[0][0].set_ylabel("gate α")
    panels[1][0].set_yticks((0.5, 1.5, 2.5), ("P-frame", "motion", "residual"))
    legend_below(figure, panels[0], columns=3)


def _draw_weights(axes: "Axes", gated: Inspection, index: int) -> None:
    steps = gated.example_steps
    places = range(len(steps))
    equal = float(gated.gates.mean())
    # Bars stand on the equal weights: from 0, what the gate prefers would be a few pixels of a large bar.
    axes.bar(places, gated.example_gates[index][steps] - equal, 0.62, bottom=equal, color=BLUE, label="this clip")
    every = gated.gates[:, steps]
    mean = every.mean(axis=0)
    reach = [mean - np.percentile(every, _LOW, axis=0), np.percentile(every, _HIGH, axis=0) - mean]
    label = f"mean of all clips, {_LOW}th to {_HIGH}th percentile"
    # A mean may lie outside of the percentiles where few clips have nearly all of the weight.
    axes.errorbar(places, mean, np.maximum(reach, 0), fmt="o", color=INK, markersize=4, capsize=3, label=label)
    axes.axhline(equal, color=MUTED, linestyle="--", linewidth=1, label="equal weights")
    axes.tick_params(labelbottom=False)
    tidy(axes)


def _draw_frames(axes: "Axes", gated: Inspection, index: int) -> None:
    steps = gated.example_steps
    rows = [
        list(gated.example_frames[index]),
        [shaded(one) for one in gated.example_motion[index]],
        [shaded(one) for one in gated.example_residual[index]],
    ]
    axes.imshow(mosaic(rows), extent=(-0.5, len(steps) - 0.5, len(rows), 0), aspect="auto", interpolation="nearest")
    axes.set_xticks(range(len(steps)), [str(step + 1) for step in steps])
    axes.set_xlabel("time step")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


GATE = rows_figure("gate", "attention-gate weights above the frames that they weigh", _drawing)
