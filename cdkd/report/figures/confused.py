"""Contact sheet of the test videos that the most accurate row is most wrong about."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cdkd.report.aggregate import TableRow
from cdkd.report.assemble import Report
from cdkd.report.figures.definition import Evidence, rows_figure
from cdkd.report.figures.inspections import inspections_of, mosaic, shaded
from cdkd.report.figures.predictions import readable, rows_by_accuracy
from cdkd.report.figures.row_looks import row_names
from cdkd.report.figures.style import MUTED, Drawing
from cdkd.tracking.inspection import Inspection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 2


def _drawing(stem: str, report: Report, rows: Sequence[TableRow], evidence: Evidence) -> Drawing | None:
    for row in rows_by_accuracy(rows):
        found = next((one for one in inspections_of(row, evidence) if len(one.confused_videos)), None)
        if found is not None:
            break
    else:
        return None
    name = row_names(rows)[list(rows).index(row)]
    lines = -(-len(found.confused_videos) // _COLUMNS)
    return Drawing(
        name=stem,
        title=f"Videos that row {name} is most wrong about on {report.dataset}",
        caption=(
            f"Test videos whose wrong class one network of row {name}, the most accurate, puts furthest above the true "
            "one, the worst first: I-frame, motion and residual of the time step with the most motion, brighter where "
            "larger. Above each: the true class, what it was taken for, and the probability given to that."
        ),
        alt=_finding(found, name),
        height=0.2 + 1.9 * lines,
        draw=lambda figure: _draw(figure, found),
    )


def _finding(found: Inspection, name: str) -> str:
    pairs = Counter(zip(found.confused_labels.tolist(), found.confused_predictions.tolist(), strict=True))
    (label, predicted), number = pairs.most_common(1)[0]
    names = [readable(str(each)) for each in found.classes]
    first = f"{names[found.confused_labels[0]]}, taken for {names[found.confused_predictions[0]]}"
    text = f"Row {name} is most wrong about a video of {first} with {found.confused_confidences[0]:.0f} %."
    if number > 1:
        text += (
            f" Of the {len(found.confused_videos)} shown, {number} are of {names[label]}, taken for {names[predicted]}."
        )
    return text


def _draw(figure: "Figure", found: Inspection) -> None:
    num = len(found.confused_videos)
    panels = figure.subplots(-(-num // _COLUMNS), _COLUMNS, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for index, axes in zip(range(num), panels.flat, strict=False):
        _draw_one(axes, found, index)


def _draw_one(axes: "Axes", found: Inspection, index: int) -> None:
    thumbnails = [
        found.confused_iframes[index],
        shaded(found.confused_motion[index]),
        shaded(found.confused_residual[index]),
    ]
    axes.imshow(mosaic([thumbnails]), interpolation="nearest")
    label, predicted = found.confused_labels[index], found.confused_predictions[index]
    taken = f"{readable(str(found.classes[predicted]))} ({found.confused_confidences[index]:.0f} %)"
    axes.set_title(f"{readable(str(found.classes[label]))}\ntaken for {taken}", fontsize=8, fontweight="normal")
    axes.text(
        0, -0.02, str(found.confused_videos[index])[-48:], transform=axes.transAxes, va="top", fontsize=6, color=MUTED
    )


CONFUSED = rows_figure("confused", "the test videos that the most accurate row is most wrong about", _drawing)
