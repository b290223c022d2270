"""Accuracy over a number of clips, one line per row: of labelled ones (study `unlabelled`), of others (`archive`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cdkd.report.aggregate import Accuracy, TableRow, top1_by_seed
from cdkd.report.assemble import Report
from cdkd.report.figures.definition import table_figure
from cdkd.report.figures.style import GREY, MARKERS, SERIES, Drawing, legend_below, scatter_seeds, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_UNLABELLED = ", unlabelled"
"""End of the name of a row that has unlabelled clips; the row without has the rest of the name."""


@dataclass(frozen=True)
class _Axis:
    """Which number the figure has below it."""

    name: str
    """Of the study's axis."""
    label: str
    lines: str
    """What solid and dashed lines are, as sentences."""


_LABELS = _Axis(
    name="labels per class",
    label="labelled clips per class",
    lines=(
        "Solid: every step also has unlabelled clips, from which the distillation losses alone learn. Dashed: labelled "
        "clips alone."
    ),
)
_ARCHIVE = _Axis(
    name="unlabelled videos",
    label="unlabelled clips that the student learns from",
    lines="Beside the same labelled clips; from the others the distillation losses alone learn.",
)


def drawing(axis: _Axis, report: Report) -> Drawing | None:
    """One line per row over the numbers of clips that it was measured with."""
    lines = _lines(axis, report)
    if not lines:
        return None
    return Drawing(
        name=report.table.file_stem,
        title=f"Accuracy over {axis.name}, {report.table.caption.lower()}",
        caption=(
            f"Top-1 test accuracy on {report.dataset} over the number of {axis.label} (not to scale); points are means "
            f"over seeds, whiskers the sample deviation, dots the seeds. {axis.lines}"
        ),
        alt=f"Measured on {report.dataset}, top-1 by {axis.name}: {'; '.join(map(_finding, lines.items()))}.",
        height=4.6,
        draw=lambda figure: _draw(figure, axis, report),
    )


def _lines(axis: _Axis, report: Report) -> dict[str, dict[int, TableRow]]:
    """Row -> number of clips -> what was measured; in the study's order."""
    lines: dict[str, dict[int, TableRow]] = {}
    for row in report.rows:
        labels = dict(row.definition.labels)
        number = labels.pop(axis.name, "")
        if row.top1 and number.isdecimal():
            lines.setdefault(labels.get("row", ""), {})[int(number)] = row
    return lines


def _finding(line: tuple[str, Mapping[int, TableRow]]) -> str:
    name, points = line
    return f"{name} {', '.join(f'{number}: {_mean(row):.1f} %' for number, row in sorted(points.items()))}"


def _mean(row: TableRow) -> float:
    return _accuracy(row).mean


def _accuracy(row: TableRow) -> Accuracy:
    assert row.top1 is not None
    return row.top1


def _draw(figure: "Figure", axis: _Axis, report: Report) -> None:
    axes = figure.subplots()
    lines = _lines(axis, report)
    numbers = sorted({number for points in lines.values() for number in points})
    # A row has one colour and one mark with unlabelled clips and without; grey is the row that learns from nobody.
    taught = dict.fromkeys(name.removesuffix(_UNLABELLED) for name, points in lines.items() if _is_taught(points))
    looks = {name: (SERIES[place % 4], MARKERS[place % 4]) for place, name in enumerate(taught)}
    for place, (name, points) in enumerate(lines.items()):
        colour, marker = looks.get(name.removesuffix(_UNLABELLED), (GREY, MARKERS[-1]))
        # A little apart, or the whiskers of one number of clips would hide each other.
        shift = 0.025 * (place - (len(lines) - 1) / 2)
        # Where labelled clips are counted, a line without unlabelled ones stands beside each that has them.
        line = "--" if axis is _LABELS and not name.endswith(_UNLABELLED) else "-"
        style = f"{line}{marker}"
        _draw_line(axes, name, {numbers.index(number) + shift: row for number, row in points.items()}, colour, style)
    axes.set_xticks(range(len(numbers)), [f"{number:,}" for number in numbers])
    axes.set_xlabel(axis.label)
    axes.set_ylabel(f"top-1 on {report.dataset} (%)")
    tidy(axes)
    legend_below(figure, [axes])


def _is_taught(points: Mapping[int, TableRow]) -> bool:
    return any(row.definition.losses for row in points.values())


def _draw_line(axes: "Axes", name: str, points: Mapping[float, TableRow], colour: str, style: str) -> None:
    places = sorted(points)
    axes.errorbar(
        places,
        [_mean(points[place]) for place in places],
        [_accuracy(points[place]).deviation or 0.0 for place in places],
        fmt=style,
        color=colour,
        capsize=3,
        linewidth=1.5,
        markersize=5,
        label=name,
    )
    for place in places:
        values = list(top1_by_seed(points[place].runs).values())
        # One seed is the point itself.
        if len(values) > 1:
            scatter_seeds(axes, place, values)


LABELS = table_figure(
    "study-unlabelled", "labels", "accuracy over labels per class, one line per row", partial(drawing, _LABELS)
)
ARCHIVE = table_figure(
    "study-archive", "archive", "accuracy over the number of unlabelled clips", partial(drawing, _ARCHIVE)
)
