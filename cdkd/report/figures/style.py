"""The look of all figures: colours that colour-blind readers tell apart, on white and on dark pages, and file formats.

A figure draws with the colours named here and no others. They are those of a white page; `adaptive_svg` gives each its
counterpart of a dark one, so that a picture on a page follows the reader's setting without being drawn twice.
"""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#1d2733", "#5a6775", "#dfe3e8", "#ffffff"
"""Text and seeds; secondary text and reference lines; grids; the page."""
BLUE, ORANGE, GREEN, PURPLE, GREY = "#1a5fa8", "#d3660c", "#14a37c", "#6b1557", "#8590a0"
"""What is told apart. Blue is what cdkd's method measures, grey what it is compared with."""
SERIES = (BLUE, ORANGE, GREEN, PURPLE, GREY)
MARKERS = ("o", "s", "^", "D", "v")
"""Beside colour, never instead of it: the n-th series has the n-th of both."""

DARK: Mapping[str, str] = {
    INK: "#e6ebf0",
    MUTED: "#a3afbb",
    GRID: "#36404b",
    PAPER: "#14191f",
    BLUE: "#7cc0f8",
    ORANGE: "#e07b35",
    GREEN: "#5fe0b4",
    PURPLE: "#c558c8",
    GREY: "#7d8893",
}
"""Colour on a white page -> the same one's on a dark page."""

WIDTH = 8.0
"""Of every figure, in inches: one size of letters on a page."""
_FONT_SIZE = 9.5
_DOTS_PER_INCH = 150
FORMATS = ("svg", "pdf", "png")


@dataclass(frozen=True)
class Drawing:
    """One picture with the words that belong to it."""

    name: str
    """Stem of its files."""
    title: str
    caption: str
    """What is shown; every interval and every mark explained."""
    alt: str
    """What it finds, for who does not see it."""
    height: float
    """Inches, of a figure `WIDTH` wide."""
    draw: Callable[["Figure"], None]
    _kept: dict[str, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was drawn of it already, by format: a figure stands in a file and in a page."""


def picture(drawing: Drawing, format_name: str) -> bytes:
    """A drawing as SVG, PDF or PNG; the same drawing gives the same bytes.

    Raises:
        ValueError: no such format.
    """
    return pictures(drawing, (format_name,))[format_name]


def pictures(drawing: Drawing, formats: Sequence[str] = FORMATS) -> dict[str, bytes]:
    """The same in several formats, drawn once.

    Raises:
        ValueError: no such format.
    """
    if unknown := set(formats) - set(FORMATS):
        raise ValueError(f"format {unknown.pop()}: figures are {', '.join(FORMATS)}")
    if missing := [name for name in formats if name not in drawing._kept]:
        drawing._kept.update(_drawn(drawing, missing))
    return {name: drawing._kept[name] for name in formats}


def _drawn(drawing: Drawing, formats: Sequence[str]) -> dict[str, bytes]:
    import matplotlib
    from matplotlib.figure import Figure

    # Fixed ids and no date: repeatable. Letters as outlines, or TrueType in a PDF: readable on every machine.
    with matplotlib.rc_context(
        {
            "svg.hashsalt": "cdkd",
            "svg.fonttype": "path",
            "pdf.fonttype": 42,
            "font.family": "DejaVu Sans",
            "font.size": _FONT_SIZE,
            "text.color": INK,
            "axes.edgecolor": MUTED,
            "axes.labelcolor": INK,
            "axes.titlesize": _FONT_SIZE + 1,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.linewidth": 0.8,
            "axes.facecolor": "none",
            "figure.facecolor": PAPER,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "legend.frameon": False,
            "legend.fontsize": _FONT_SIZE - 1,
            "image.interpolation": "nearest",
            # Letters are a little wider in one format than in another: none may reach over the edge.
            "figure.constrained_layout.w_pad": 0.09,
            "figure.constrained_layout.h_pad": 0.07,
        }
    ):
        figure = Figure(figsize=(WIDTH, drawing.height), dpi=_DOTS_PER_INCH, layout="constrained")
        drawing.draw(figure)
        # Laid out once, and in inches: without it each format would find places of its own, a second at a time.
        engine = figure.get_layout_engine()
        assert engine is not None
        engine.execute(figure)
        figure.set_layout_engine("none")
        return {name: _saved(figure, name) for name in formats}


def _saved(figure: "Figure", format_name: str) -> bytes:
    stream = io.BytesIO()
    metadata: dict[str, Any] = {
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        "png": {"Software": None},
    }[format_name]
    figure.savefig(stream, format=format_name, dpi=_DOTS_PER_INCH, metadata=metadata)
    return stream.getvalue()


def adaptive_svg(svg: bytes) -> bytes:
    """A figure's SVG with its colours as variables that follow the reader's light or dark setting.

    For pages; files keep plain colours, which every program that shows SVG understands.
    """
    text = svg.decode("utf-8")
    names = {light: f"--c{index}" for index, light in enumerate(DARK)}
    for light, name in names.items():
        text = text.replace(light, f"var({name})")

    def block(colours: Iterable[str]) -> str:
        return (
            ":root{" + ";".join(f"{name}:{colour}" for name, colour in zip(names.values(), colours, strict=True)) + "}"
        )

    style = f"<style>{block(DARK)}@media (prefers-color-scheme:dark){{{block(DARK.values())}}}</style>"
    end = text.index(">", text.index("<svg")) + 1
    return (text[:end] + style + text[end:]).encode("utf-8")


def shades() -> "Colormap":
    """From nothing to blue, for shares and magnitudes.

    One colour that grows opaque: so that it is `BLUE` all along, which `adaptive_svg` knows, above either page.
    """
    from matplotlib.colors import LinearSegmentedColormap, to_rgba

    # From fifty steps on, matplotlib makes a picture of a colour bar, which would stay as it is on a dark page.
    return LinearSegmentedColormap.from_list("shades", [to_rgba(BLUE, 0.0), to_rgba(BLUE, 1.0)], N=48)


def tidy(axes: "Axes", grid: str = "y") -> None:
    """No frame, a quiet grid behind the data along `grid` ("x", "y" or "both")."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color=GRID, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def scatter_seeds(axes: "Axes", x: float, values: Sequence[float], label: str = "", colour: str = INK) -> None:
    """One dot per seed, side by side around x, all of them in one collection."""
    middle = (len(values) - 1) / 2
    step = min(0.08, 0.5 / max(1, len(values)))
    axes.scatter(
        [x + (index - middle) * step for index in range(len(values))],
        values,
        s=9,
        color=colour,
        alpha=0.8,
        linewidths=0,
        zorder=4,
        label=label or "_",
    )


def legend_below(figure: "Figure", axes: Iterable["Axes"], columns: int = 4) -> None:
    """One legend for several panels, under them; what two panels call the same stands there once."""
    entries: dict[str, Any] = {}
    for panel in axes:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        figure.legend(entries.values(), entries.keys(), loc="outside lower left", ncols=min(columns, len(entries)))
