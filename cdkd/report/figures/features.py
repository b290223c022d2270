"""Features of teacher and students over test clips, in the plane of their first two principal components."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cdkd.report.aggregate import TableRow
from cdkd.report.assemble import Report
from cdkd.report.figures.definition import Evidence, rows_figure
from cdkd.report.figures.inspections import inspections_of
from cdkd.report.figures.predictions import Floats, readable, reference_row, rows_by_accuracy
from cdkd.report.figures.row_looks import row_names
from cdkd.report.figures.style import GRID, MARKERS, SERIES, Drawing, legend_below, tidy
from cdkd.tracking.inspection import Inspection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MAX_CLASSES = 20
"""Told apart by colour and mark; the clips of others are pale."""


@dataclass(frozen=True)
class _Panel:
    title: str
    points: Floats
    """(N, 2)."""
    labels: Floats
    """(N,)."""
    variance: float
    """Percent of the features' variance that the plane holds."""

    @property
    def tells(self) -> float:
        """Percent of the clips whose nearest neighbour in the plane is of their class."""
        distances = np.square(self.points[:, None] - self.points[None]).sum(axis=2)
        np.fill_diagonal(distances, np.inf)
        return float(100.0 * (self.labels[distances.argmin(axis=1)] == self.labels).mean())


def _drawing(stem: str, report: Report, rows: Sequence[TableRow], evidence: Evidence) -> Drawing | None:
    panels, classes = _panels(rows, evidence)
    if not panels:
        return None
    shown = _shown(panels[0])
    some = f" The {len(shown)} most frequent of {len(classes)} classes are told apart." * (len(shown) < len(classes))
    return Drawing(
        name=stem,
        title=f"Features on {report.dataset}",
        caption=(
            "Test clips in the plane of the first two principal components of each network's own features: of the "
            "teacher its maps, of a student its decoded maps, averaged over time and place; of a student without "
            "pseudo-decoder its logits. One network of each row; a mark is a clip, colour and shape its class. Planes "
            f"of different networks share no axes, and no interval is drawn.{some}"
        ),
        alt=_finding(panels),
        height=3.3 + 0.2 * -(-len(shown) // 4),
        draw=lambda figure: _draw(figure, panels, [int(k) for k in shown], classes),
    )


def _panels(rows: Sequence[TableRow], evidence: Evidence) -> tuple[list[_Panel], list[str]]:
    """The teacher, the most accurate row, and the row that it is compared with."""
    names = row_names(rows)
    best, reference = rows_by_accuracy(rows)[0], reference_row(rows)
    panels: list[_Panel] = []
    classes: list[str] = []
    for row in [reference] if best is reference else [reference, best]:
        found = inspections_of(row, evidence)
        if found:
            classes = [str(name) for name in found[0].classes]
            panels.append(_panel(names[list(rows).index(row)], found[0], "student"))
    for row in rows_by_accuracy(rows):
        taught = next((one for one in inspections_of(row, evidence) if len(one.teacher_features)), None)
        if panels and taught is not None:
            return [_panel("teacher", taught, "teacher"), *panels], classes
    return panels, classes


def _panel(title: str, one: Inspection, who: str) -> _Panel:
    points = np.asarray(getattr(one, f"{who}_features"), dtype=np.float64)
    return _Panel(title, points, one.labels.astype(np.float64), 100 * float(getattr(one, f"{who}_variance").sum()))


def _shown(panel: _Panel) -> list[float]:
    labels, counts = np.unique(panel.labels, return_counts=True)
    return sorted(labels[np.argsort(-counts, kind="stable")][:_MAX_CLASSES].tolist())


def _finding(panels: Sequence[_Panel]) -> str:
    told = [
        f"{panel.title} {panel.tells:.0f} % (the plane holds {panel.variance:.0f} % of its variance)"
        for panel in panels
    ]
    return f"Clips whose nearest neighbour in the plane is of their class: {'; '.join(told)}."


def _draw(figure: "Figure", panels: Sequence[_Panel], shown: Sequence[int], classes: Sequence[str]) -> None:
    axes_row = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel in zip(axes_row, panels, strict=True):
        _draw_one(axes, panel, shown, classes)
        axes.set_title(panel.title)
        axes.set_xlabel(f"neighbour of the same class: {panel.tells:.0f} %", fontsize=8)
    legend_below(figure, axes_row, columns=4)


def _draw_one(axes: "Axes", panel: _Panel, shown: Sequence[int], classes: Sequence[str]) -> None:
    others = ~np.isin(panel.labels, shown)
    axes.scatter(panel.points[others, 0], panel.points[others, 1], s=8, color=GRID, linewidths=0)
    for place, label in enumerate(shown):
        chosen = panel.points[panel.labels == label]
        # Every colour with every mark before one comes again.
        colour, marker = SERIES[place % len(SERIES)], MARKERS[(place + place // len(SERIES)) % len(MARKERS)]
        name = readable(classes[label])
        axes.scatter(
            chosen[:, 0], chosen[:, 1], s=16, color=colour, marker=marker, linewidths=0, alpha=0.85, label=name
        )
    axes.set_xticks([])
    axes.set_yticks([])
    tidy(axes)


FEATURES = rows_figure(
    "features", "features of teacher and student in the plane of their principal components", _drawing
)
