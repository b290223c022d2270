"""The look of figures: colours that every reader tells apart on both pages, and formats."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cdkd.report.figures.style import (
    DARK,
    GREY,
    INK,
    MUTED,
    PAPER,
    SERIES,
    Drawing,
    adaptive_svg,
    legend_below,
    picture,
    scatter_seeds,
    tidy,
)

# Machado, Oliveira and Fernandes 2009, severity 1: linear RGB as seen without one kind of cone.
_SEEN_BY = {
    "all cones": np.eye(3),
    "no long cones": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no medium cones": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "no short cones": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def _linear(colour: str) -> NDArray[np.float64]:
    values = np.array([int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _lab(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    relative = _XYZ @ linear.clip(0, 1) / np.array([0.95047, 1.0, 1.08883])
    x, y, z = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def _contrast(one: str, other: str) -> float:
    low, high = sorted(float(_XYZ[1] @ _linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", ["white", "dark"])
@pytest.mark.parametrize("eyes", _SEEN_BY)
def test_every_two_series_differ_for_all_eyes(page: str, eyes: str) -> None:
    colours = [colour if page == "white" else DARK[colour] for colour in SERIES]
    seen = [_lab(_SEEN_BY[eyes] @ _linear(colour)) for colour in colours]
    distances = [np.linalg.norm(a - b) for index, a in enumerate(seen) for b in seen[:index]]
    # 2.3 is a just noticeable difference (CIE 1976).
    assert min(distances) > 6 * 2.3


@pytest.mark.parametrize("page", ["white", "dark"])
def test_contrasts_of_wcag(page: str) -> None:
    def on_page(colour: str) -> str:
        return colour if page == "white" else DARK[colour]

    for text in (INK, MUTED):
        assert _contrast(on_page(text), on_page(PAPER)) >= 4.5
    for mark in SERIES:
        assert _contrast(on_page(mark), on_page(PAPER)) >= 3


def _drawing() -> Drawing:
    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [1, 2], color=GREY, label="a line")
        scatter_seeds(axes, 0.5, [1.0, 1.5, 2.0], "one seed")
        tidy(axes)
        legend_below(figure, [axes])

    return Drawing("line", "A line", "A line and its seeds.", "It rises.", 3.0, draw)


@pytest.mark.parametrize(("format_name", "head"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_formats_repeat_byte_for_byte(format_name: str, head: bytes) -> None:
    drawn = picture(_drawing(), format_name)
    assert drawn.startswith(head)
    assert picture(_drawing(), format_name) == drawn


def test_an_unknown_format() -> None:
    with pytest.raises(ValueError, match="format gif: figures are svg, pdf, png"):
        picture(_drawing(), "gif")


def test_an_adaptive_picture_has_no_colour_of_its_own() -> None:
    text = adaptive_svg(picture(_drawing(), "svg")).decode()
    style, rest = text.split("</style>", 1)
    # A rule within the braces of its condition: without these, browsers drop it in silence.
    assert re.search(r"@media \(prefers-color-scheme:dark\)\{:root\{[^{}]+\}\}$", style)
    assert DARK[INK] in style and INK in style
    assert re.findall(r"#[0-9a-f]{6}", rest) == []
    assert "var(--c0)" in rest
