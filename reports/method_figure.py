"""Draws the method: two networks and the knowledge that passes between them (`python reports/method_figure.py`)."""

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The canvas is measured in these units; a line of text is about three high.
WIDTH, HEIGHT = 180.0, 98.0
Point = tuple[float, float]
_INK, _MUTED = "#1d2733", "#52606d"


@dataclass(frozen=True)
class Colours:
    """Fill, edge and band of one side of the figure."""

    fill: str
    edge: str
    band: str


TEACHER = Colours("#fbe3c2", "#b7791f", "#fdf6ea")
STUDENT = Colours("#d3e5f5", "#2f6f9f", "#f1f7fc")
LOSS = Colours("#f9d9d7", "#b23a35", "#ffffff")


@dataclass(frozen=True)
class Box:
    """A rounded box; (x, y) is its lower left corner."""

    x: float
    y: float
    width: float
    height: float
    text: str
    colours: Colours
    equation: str = ""
    """Number in the paper, printed in the lower right corner."""

    @property
    def left(self) -> Point:
        """Middle of the left edge."""
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> Point:
        """Middle of the right edge."""
        return self.x + self.width, self.y + self.height / 2

    @property
    def top(self) -> Point:
        """Middle of the upper edge."""
        return self.x + self.width / 2, self.y + self.height

    @property
    def bottom(self) -> Point:
        """Middle of the lower edge."""
        return self.x + self.width / 2, self.y


TEACHER_NET = Box(36, 77, 26, 12, "TSM or TDN\nbackbone", TEACHER)
TEACHER_LOGITS = Box(154.5, 78.5, 20, 9, "teacher\nlogits", TEACHER)
STREAM_I = Box(32, 38, 18, 9, "I-frame\nstream", STUDENT)
STREAM_M = Box(32, 23.5, 18, 9, "motion\nstream", STUDENT)
STREAM_R = Box(32, 9, 18, 9, "residual\nstream", STUDENT)
ATTEND_M = Box(69.5, 28, 21.5, 11, "cross-attention\n$Q^I,\\ K^M_t,\\ V^I$", STUDENT, "(1)")
ATTEND_R = Box(69.5, 12, 21.5, 11, "cross-attention\n$Q^I,\\ K^R_t,\\ V^I$", STUDENT, "(1)")
LSTM = Box(100, 20, 16, 11, "Bi-Conv-\nLSTM", STUDENT, "(2)")
CLASSIFIER = Box(154.5, 19, 20, 13, "FC fusion,\nclassifier", STUDENT)
GATE = Box(64, 57, 22, 11, "attention gate\n(squeeze-excite)", STUDENT)
SPATIAL = Box(95, 57, 22, 11, "$\\sum_t\\,\\alpha_t\\,\\|h_t-\\hat h_t\\|^2$", LOSS, "(4)")
TEMPORAL = Box(122, 55, 28, 15, "", LOSS, "(5, 6)")
LOGITS = Box(154.5, 57, 20, 11, "KL of softened\nlogits", LOSS)
CROSS_ENTROPY = Box(154.5, 38, 20, 9, "cross-entropy\nwith label", LOSS)
BOXES = (
    TEACHER_NET, TEACHER_LOGITS, STREAM_I, STREAM_M, STREAM_R, ATTEND_M, ATTEND_R, LSTM,
    CLASSIFIER, GATE, SPATIAL, TEMPORAL, LOGITS, CROSS_ENTROPY,
)  # fmt: skip
_SUM: Point = (95.5, 25.5)
_GATE_X, _POOLED_X = 56.2, 59.2
_CELL = 6.4
_STRIP_X = 122.5


def draw(axes: "Axes") -> None:
    """The whole figure on axes of WIDTH x HEIGHT units."""
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, HEIGHT)
    axes.set_aspect("equal")
    axes.axis("off")
    _draw_bands(axes)
    _draw_inputs(axes)
    for box in BOXES:
        _draw_box(axes, box)
    _draw_strip(axes, 79.8, "h", TEACHER)
    _draw_strip(axes, 22.3, "\\hat h", STUDENT)
    _draw_teacher_arrows(axes)
    _draw_student_arrows(axes)
    _draw_knowledge(axes)


def _draw_bands(axes: "Axes") -> None:
    for y, height, colours, title in (
        (73, 24, TEACHER, "Teacher: raw domain, frozen, training only"),
        (1, 51, STUDENT, "Student: compressed domain"),
    ):
        _rounded(axes, 1, y, 178, height, colours.band, colours.edge, 0.8)
        axes.text(3.5, y + height - 1.6, title, color=colours.edge, fontsize=11, fontweight="bold", va="top")
    _rounded(axes, 66.5, 9.4, 51.5, 34.4, "none", STUDENT.edge, 1.1, dashed=True)
    axes.text(92.2, 42.6, "Pseudo-decoder", color=STUDENT.edge, fontsize=10, fontweight="bold", ha="center", va="top")
    axes.text(3.5, 67.5, "Knowledge", color=LOSS.edge, fontsize=11, fontweight="bold", va="top")
    total = "$L = L_{CE} + \\lambda_1 L_{spatial} + \\lambda_2 L_{temporal}\\ (+\\, \\lambda_3 L_{logits})$"
    axes.text(3.5, 62.4, total, color=_INK, fontsize=10, va="top")
    axes.text(3.5, 57.2, "(7); no gradient reaches the teacher", color=_MUTED, fontsize=8.5, va="top")


def _rounded(
    axes: "Axes",
    x: float,
    y: float,
    width: float,
    height: float,
    fill: str,
    edge: str,
    line: float,
    dashed: bool = False,
) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (x, y),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=1.6",
            facecolor=fill,
            edgecolor=edge,
            linewidth=line,
            linestyle=(0, (4, 3)) if dashed else "-",
        )
    )


def _draw_box(axes: "Axes", box: Box) -> None:
    _rounded(axes, box.x, box.y, box.width, box.height, box.colours.fill, box.colours.edge, 1.2)
    x, y = box.x + box.width / 2, box.y + box.height / 2
    axes.text(x, y, box.text, ha="center", va="center", fontsize=9, color=_INK, linespacing=1.25)
    if box.equation:
        axes.text(box.x + box.width - 0.7, box.y + 0.6, box.equation, ha="right", va="bottom", fontsize=7, color=_MUTED)


def _arrow(axes: "Axes", path: Sequence[Point], colour: str, *, dashed: bool = False, head: bool = True) -> None:
    """A line through the points, with a head at the last."""
    style = (0, (3, 2)) if dashed else "-"
    xs, ys = zip(*path, strict=True)
    axes.plot(xs, ys, color=colour, linewidth=1.3, linestyle=style, solid_capstyle="round", zorder=1.5)
    if head:
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 0, "mutation_scale": 10, "shrinkA": 0, "shrinkB": 0}
        (x0, y0), (x1, y1) = path[-2:]
        length = max(abs(x1 - x0), abs(y1 - y0))
        start = (x1 - 2 * (x1 - x0) / length, y1 - 2 * (y1 - y0) / length)
        axes.annotate("", xy=(x1, y1), xytext=start, arrowprops=arrow)


def _join(axes: "Axes", point: Point, colour: str) -> None:
    """A dot: these lines are connected, crossing ones without it are not."""
    axes.plot(*point, "o", color=colour, markersize=3.5, zorder=2)


def _label(
    axes: "Axes", x: float, y: float, text: str, size: float = 9, colour: str = _INK, ha: str = "center"
) -> None:
    axes.text(x, y, text, ha=ha, va="center", fontsize=size, color=colour)


def _draw_inputs(axes: "Axes") -> None:
    """Thumbnails: a disc that moves to the right, as frames, as motion vectors and as residuals."""
    for index in reversed(range(4)):
        _thumbnail(axes, 5 + 4.2 * index, 78.5 + 0.8 * index, "frame", index)
    _label(axes, 17, 75.6, "raw frames $F_1 \\ldots F_T$", 8.5)
    _thumbnail(axes, 9, 37.5, "frame", 0)
    _label(axes, 6.5, 42, "$I$", 11)
    for y, kind, name in ((23, "motion", "$M_t$"), (8.5, "residual", "$R_t$")):
        for index in reversed(range(1, 4)):
            _thumbnail(axes, 5 + 4.2 * index, y + 0.8 * (index - 1), kind, index)
        _label(axes, 6, y + 4.5, name, 11)
    _label(axes, 17, 5.2, "$t = 1 \\ldots T$", 8.5)


def _thumbnail(axes: "Axes", x: float, y: float, kind: str, index: int, size: float = 9.0) -> None:
    from matplotlib.patches import Arc, Circle, Rectangle

    fill = {"frame": "#e9efe4", "motion": "#ffffff", "residual": "#8a939c"}[kind]
    z = 3 - 0.1 * index
    axes.add_patch(Rectangle((x, y), size, size, facecolor=fill, edgecolor=_MUTED, linewidth=0.8, zorder=z))
    centre = (x + 2.9 + 1.0 * index, y + 4.5)
    if kind == "frame":
        axes.add_patch(Circle(centre, 2.1, facecolor="#d9822b", edgecolor="#8f4f12", linewidth=0.8, zorder=z))
        axes.plot([x, x + size], [y + 1.5, y + 1.5], color="#9db48c", linewidth=1.5, zorder=z)
    elif kind == "motion":
        for dx in (-1.6, 0.4):
            for dy in (-1.8, 0.0, 1.8):
                arrow = {"arrowstyle": "->", "color": STUDENT.edge, "linewidth": 0.8, "mutation_scale": 5, "shrinkB": 0}
                start = (centre[0] + dx, centre[1] + dy)
                axes.annotate("", xy=(start[0] + 2.2, start[1]), xytext=start, arrowprops=arrow, zorder=z)
    else:
        for side, colour in ((0, "#ffffff"), (180, "#2b3138")):
            axes.add_patch(
                Arc(centre, 4.2, 4.2, theta1=side - 70, theta2=side + 70, color=colour, linewidth=1.6, zorder=z)
            )


def _draw_strip(axes: "Axes", y: float, symbol: str, colours: Colours) -> None:
    """The features of the T frames, side by side."""
    from matplotlib.patches import Rectangle

    for index, name in enumerate(("_1", "_2", "", "_T")):
        x = _STRIP_X + index * (_CELL + 0.4)
        if not name:
            _label(axes, x + _CELL / 2, y + _CELL / 2, "$\\cdots$", 11)
            continue
        axes.add_patch(Rectangle((x, y), _CELL, _CELL, facecolor=colours.fill, edgecolor=colours.edge, linewidth=1.1))
        _label(axes, x + _CELL / 2, y + _CELL / 2, f"${symbol}{name}$")


def _draw_teacher_arrows(axes: "Axes") -> None:
    _arrow(axes, [(29.5, 83), TEACHER_NET.left], TEACHER.edge)
    _arrow(axes, [TEACHER_NET.right, (_STRIP_X - 0.6, 83)], TEACHER.edge)
    _arrow(axes, [(150, 83), TEACHER_LOGITS.left], TEACHER.edge)
    _label(axes, 92, 85, "features before pooling, same frames, same crop", 8, _MUTED)


def _draw_student_arrows(axes: "Axes") -> None:
    from matplotlib.patches import Circle

    edge = STUDENT.edge
    for box, start in ((STREAM_I, 19.5), (STREAM_M, 28), (STREAM_R, 28)):
        _arrow(axes, [(start, box.left[1]), box.left], edge)
    x = ATTEND_M.x
    _arrow(axes, [STREAM_I.right, (64.6, 42.5), (64.6, 36), (x, 36)], edge)
    _arrow(axes, [(64.6, 36), (64.6, 20), (x, 20)], edge)
    _join(axes, (64.6, 36), edge)
    _arrow(axes, [STREAM_M.right, (62, 28), (62, 31), (x, 31)], edge)
    _arrow(axes, [STREAM_R.right, (62, 13.5), (62, 15), (x, 15)], edge)
    for box, text in ((STREAM_I, "$f^I$"), (STREAM_M, "$f^M_t$"), (STREAM_R, "$f^R_t$")):
        _label(axes, 52.8, box.right[1] + 2.3, text, 10)
    _arrow(axes, [ATTEND_M.right, (_SUM[0], 33.5), (_SUM[0], _SUM[1] + 1.6)], edge)
    _arrow(axes, [ATTEND_R.right, (_SUM[0], 17.5), (_SUM[0], _SUM[1] - 1.6)], edge)
    axes.add_patch(Circle(_SUM, 1.6, facecolor="white", edgecolor=edge, linewidth=1.2, zorder=3))
    axes.text(*_SUM, "+", ha="center", va="center", fontsize=11, color=edge, zorder=4)
    _arrow(axes, [(_SUM[0] + 1.6, _SUM[1]), LSTM.left], edge)
    _arrow(axes, [LSTM.right, (_STRIP_X - 0.6, 25.5)], edge)
    _arrow(axes, [(150, 25.5), CLASSIFIER.left], edge)
    # The classifier also reads the pooled features of the three streams.
    _arrow(axes, [(_POOLED_X, 42.5), (_POOLED_X, 5.0), (164.5, 5.0), CLASSIFIER.bottom], edge)
    for y in (42.5, 28.0, 13.5):
        _join(axes, (_POOLED_X, y), edge)
    _label(axes, 112, 7.0, "pooled $f^I, f^M, f^R$", 8.5, _MUTED)
    _arrow(axes, [CLASSIFIER.top, CROSS_ENTROPY.bottom], edge)


def _draw_knowledge(axes: "Axes") -> None:
    red = LOSS.edge
    middle = 136.0
    for y, colours in ((78.6, TEACHER), (29.9, STUDENT)):
        ends = y + (0.7 if colours is TEACHER else -0.7)
        _arrow(axes, [(_STRIP_X, ends), (_STRIP_X, y), (149.3, y), (149.3, ends)], colours.edge, head=False)
    # Teacher's features down, student's up, into each loss.
    _arrow(axes, [(127, 78.6), (127, 75.5), (106, 75.5), SPATIAL.top], TEACHER.edge)
    _arrow(axes, [(127, 29.9), (127, 48.5), (106, 48.5), SPATIAL.bottom], STUDENT.edge)
    _arrow(axes, [(middle, 78.6), TEMPORAL.top], TEACHER.edge)
    _arrow(axes, [(middle, 29.9), TEMPORAL.bottom], STUDENT.edge)
    _arrow(axes, [(172.5, TEACHER_LOGITS.y), (172.5, LOGITS.y + LOGITS.height)], TEACHER.edge, dashed=True)
    _arrow(axes, [CLASSIFIER.right, (177, 25.5), (177, 62.5), LOGITS.right], STUDENT.edge, dashed=True)
    _arrow(axes, [(_GATE_X, 13.5), (_GATE_X, 62.5), GATE.left], STUDENT.edge)
    for y in (13.5, 28.0):
        _join(axes, (_GATE_X, y), STUDENT.edge)
    _arrow(axes, [GATE.right, SPATIAL.left], STUDENT.edge)
    _label(axes, 90.5, 64.6, "$\\alpha_t$", 10)
    for box, text in ((SPATIAL, "spatial"), (TEMPORAL, "temporal"), (LOGITS, "logits, optional")):
        axes.text(box.x + 0.2, box.y + box.height + 0.5, text, fontsize=8.5, color=red, fontweight="bold", va="bottom")
    _graph(axes, 129.5, 63, TEACHER)
    _graph(axes, 142.5, 63, STUDENT)
    _label(axes, 136, 63, "$-$", 12)
    _label(axes, 132.3, 57, "edges, 3 mappings", 8, _MUTED)


def _graph(axes: "Axes", x: float, y: float, colours: Colours, radius: float = 4.2) -> None:
    """A complete graph of five frames."""
    from math import cos, pi, sin

    nodes = [(x + radius * sin(2 * pi * k / 5), y + radius * cos(2 * pi * k / 5)) for k in range(5)]
    for index, (x0, y0) in enumerate(nodes):
        for x1, y1 in nodes[index + 1 :]:
            axes.plot([x0, x1], [y0, y1], color=colours.edge, linewidth=0.7, alpha=0.7, zorder=2)
    for point in nodes:
        axes.plot(*point, "o", color=colours.fill, markeredgecolor=colours.edge, markersize=5, zorder=3)


def figure_bytes(format_name: str) -> bytes:
    """The figure as svg or png; the same bytes every time."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(
        {"svg.hashsalt": "cdkd-method", "svg.fonttype": "path", "mathtext.fontset": "dejavusans"}
    ):
        figure = Figure(figsize=(12.0, 12.0 * HEIGHT / WIDTH))
        draw(figure.add_axes((0.005, 0.005, 0.99, 0.99)))
        stream = io.BytesIO()
        metadata = {"Date": None} if format_name == "svg" else {"Software": None}
        figure.savefig(stream, format=format_name, dpi=140, metadata=metadata, facecolor="white")
    return stream.getvalue()


def main(arguments: Sequence[str]) -> int:
    """Writes each named file (.svg or .png); without names, method.svg and method.png beside this script."""
    beside = Path(__file__).parent
    for path in [Path(name) for name in arguments] or [beside / "method.svg", beside / "method.png"]:
        if path.suffix not in (".svg", ".png"):
            print(f"{path}: name a .svg or .png file", file=sys.stderr)
            return 1
        path.write_bytes(figure_bytes(path.suffix[1:]))
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
