"""Accuracy over labels per class, one line per row, with and without unlabelled clips: the study `unlabelled`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cdkd.report.aggregate import Accuracy, TableRow, top1_by_seed
from cdkd.report.assemble import Report
from cdkd.report.figures.definition import table_figure
from cdkd.report.figures.style import GREY, MARKERS, SERIES, Drawing, legend_below, scatter_seeds, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_AXIS = "labels per class"
_UNLABELLED = ", unlabelled"
"""End of the name of a row that has unlabelled clips; the row without has the rest of the name."""


def drawing(report: Report) -> Drawing | None:
    """One line per row over the numbers of labels that it was measured with."""
    lines = _lines(report)
    if not lines:
        return None
    return Drawing(
        name=report.table.file_stem,
        title=f"Accuracy over labels per class, {report.table.caption.lower()}",
        caption=(
            f"Top-1 test accuracy on {report.dataset} over the number of labelled clips per class (logarithmic); "
            "points are means over seeds, whiskers the sample deviation, dots the seeds. Solid: every step also has "
            "unlabelled clips, from which the distillation losses alone learn. Dashed: labelled clips alone."
        ),
        alt=f"Measured on {report.dataset}, top-1 by labels per class: {'; '.join(map(_finding, lines.items()))}.",
        height=4.6,
        draw=lambda figure: _draw(figure, report),
    )


def _lines(report: Report) -> dict[str, dict[int, TableRow]]:
    """Row -> labels per class -> what was measured; in the study's order."""
    lines: dict[str, dict[int, TableRow]] = {}
    for row in report.rows:
        labels = dict(row.definition.labels)
        number = labels.pop(_AXIS, "")
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


def _draw(figure: "Figure", report: Report) -> None:
    axes = figure.subplots()
    lines = _lines(report)
    # A row has one colour and one mark with unlabelled clips and without; grey is the row that learns from nobody.
    taught = dict.fromkeys(name.removesuffix(_UNLABELLED) for name, points in lines.items() if _is_taught(points))
    looks = {name: (SERIES[place % 4], MARKERS[place % 4]) for place, name in enumerate(taught)}
    for place, (name, points) in enumerate(lines.items()):
        colour, marker = looks.get(name.removesuffix(_UNLABELLED), (GREY, MARKERS[-1]))
        # Side by side, or the whiskers of one number of labels would hide each other.
        shift = 2 ** (0.05 * (place - (len(lines) - 1) / 2))
        _draw_line(axes, name, points, shift, colour, marker)
    numbers = sorted({number for points in lines.values() for number in points})
    axes.set_xscale("log", base=2)
    axes.set_xticks(numbers, [str(number) for number in numbers])
    axes.minorticks_off()
    axes.set_xlabel("labelled clips per class")
    axes.set_ylabel(f"top-1 on {report.dataset} (%)")
    tidy(axes)
    legend_below(figure, [axes])


def _is_taught(points: Mapping[int, TableRow]) -> bool:
    return any(row.definition.losses for row in points.values())


def _draw_line(axes: "Axes", name: str, points: Mapping[int, TableRow], shift: float, colour: str, marker: str) -> None:
    numbers = sorted(points)
    places = [number * shift for number in numbers]
    spread = [_accuracy(points[number]).deviation or 0.0 for number in numbers]
    axes.errorbar(
        places,
        [_mean(points[number]) for number in numbers],
        spread,
        fmt=f"-{marker}" if name.endswith(_UNLABELLED) else f"--{marker}",
        color=colour,
        capsize=3,
        linewidth=1.5,
        markersize=5,
        label=name,
    )
    for place, number in zip(places, numbers, strict=True):
        values = list(top1_by_seed(points[number].runs).values())
        # Dots beside each other by a share of the place, as the scale is logarithmic; one seed is the point itself.
        if len(values) > 1:
            scatter_seeds(axes, place, values)


LABELS = table_figure("study-unlabelled", "labels", "accuracy over labels per class, one line per row", drawing)
