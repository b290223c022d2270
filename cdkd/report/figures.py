"""Tables 4 and 5 as pictures: differences with their seeds as dots, and accuracy over each lambda."""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cdkd.report.aggregate import TableRow, top1_by_seed
from cdkd.report.assemble import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PLAIN, _DECODER, _OURS, _DOT = "#7b8794", "#cbd2d9", "#2f6f9f", "#1d2733"
_PUBLISHED_COLOURS = {"UCF-101": "#b35c1e", "SSV2": "#5f8d3f"}


def figure_bytes(report: Report, format_name: str) -> bytes | None:
    """The report's picture as PNG or SVG; None for a table without a figure or without runs."""
    draw = _FIGURES.get(report.table.name)
    if draw is None or not any(row.top1 for row in report.rows):
        return None
    import matplotlib
    from matplotlib.figure import Figure

    # Fixed ids and no date: the same runs give the same bytes.
    with matplotlib.rc_context({"svg.hashsalt": "cdkd", "font.size": 9, "svg.fonttype": "path"}):
        figure = Figure(figsize=(9.0, 4.2), layout="constrained")
        draw(figure, report)
        stream = io.BytesIO()
        metadata = {"Date": None} if format_name == "svg" else {"Software": None}
        figure.savefig(stream, format=format_name, dpi=150, metadata=metadata)
    return stream.getvalue()


def _tidy(axes: "Axes") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e7eb", linewidth=0.8)
    axes.set_axisbelow(True)


def _scatter_seeds(axes: "Axes", x: float, row: TableRow) -> None:
    values = list(top1_by_seed(row.runs).values())
    for index, value in enumerate(values):
        shift = (index - (len(values) - 1) / 2) * 0.08
        axes.plot(x + shift, value, "o", color=_DOT, markersize=3, alpha=0.75)


def _draw_ablation(figure: "Figure", report: Report) -> None:
    """Bars stand on the baseline's accuracy, so that their length is the difference and no axis is cut unsaid."""
    blocks: dict[str, list[TableRow]] = {}
    # Far above its students, a teacher would press their bars flat.
    for row in [row for row in report.rows if not row.teachers]:
        blocks.setdefault(row.definition.block, []).append(row)
    panels = figure.subplots(1, len(blocks), sharey=True, squeeze=False)[0]
    for axes, (block, rows) in zip(panels, blocks.items(), strict=True):
        baseline = rows[0].top1
        if baseline:
            axes.axhline(baseline.mean, color=_PLAIN, linestyle="--", linewidth=1)
        for x, row in enumerate(rows):
            _draw_row(axes, x, row, baseline.mean if baseline else None)
        axes.set_xticks(range(len(rows)), [_ablation_label(row) for row in rows])
        axes.set_xlim(-0.6, len(rows) - 0.4)
        axes.margins(y=0.12)
        axes.set_title(f"{block.upper()} student", loc="left", fontweight="bold")
        _tidy(axes)
    panels[0].set_ylabel(f"top-1 on {report.dataset} (%)\nbars: from the baseline; dots: seeds")


def _draw_row(axes: "Axes", x: int, row: TableRow, baseline: float | None) -> None:
    if row.top1 is None:
        status = ", ".join(sorted({run.status_text for run in row.runs})) or "no run"
        axes.text(x, 0.03, status, transform=axes.get_xaxis_transform(), ha="center", rotation=90, color="#7b8794")
        return
    colour = _DECODER if "no KD" in row.definition.method else _OURS
    if row.definition.baselines and baseline is not None:
        axes.bar(x, row.top1.mean - baseline, 0.66, bottom=baseline, color=colour)
    axes.errorbar(x, row.top1.mean, row.top1.deviation or 0.0, fmt="_", color=_DOT, markersize=22, capsize=3)
    _scatter_seeds(axes, x, row)


def _ablation_label(row: TableRow) -> str:
    if not row.definition.baselines:
        return "three\nstreams"
    if "no KD" in row.definition.method:
        return "decoder,\nno KD"
    spatial, temporal = row.definition.labels["spatial"] == "yes", row.definition.labels["temporal"] == "yes"
    return "spatial +\ntemporal" if spatial and temporal else "spatial\nKD" if spatial else "temporal\nKD"


def _draw_lambdas(figure: "Figure", report: Report) -> None:
    """Measured accuracy above; below it the published gains, since their data sets differ in level."""
    first, second = _lambda_lines(report)
    panels = figure.subplots(2, 2, sharex="col", sharey="row", height_ratios=(2, 1))
    for column, (name, rows) in enumerate((("lambda1", first), ("lambda2", second))):
        above, below = panels[0][column], panels[1][column]
        positions = [x for x, row in enumerate(rows) if row.top1]
        means = [row.top1.mean for row in rows if row.top1]
        spread = [row.top1.deviation or 0.0 for row in rows if row.top1]
        above.errorbar(positions, means, spread, fmt="-o", color=_OURS, capsize=3, linewidth=1.5, markersize=5)
        for x, row in enumerate(rows):
            _scatter_seeds(above, x, row)
        baseline = report.rows[0].top1
        if baseline:
            above.axhline(baseline.mean, color=_PLAIN, linestyle="--", linewidth=1, label="three streams, no KD")
        for dataset, colour in _PUBLISHED_COLOURS.items():
            gains = [_published_gain(report, row, dataset) for row in rows]
            known = [(x, gain) for x, gain in enumerate(gains) if gain is not None]
            if known:
                below.plot(*zip(*known, strict=True), "s:", color=colour, linewidth=1, markersize=4, label=dataset)
        below.axhline(0.0, color=_PLAIN, linestyle="--", linewidth=1)
        below.set_xticks(range(len(rows)), [_lambda_label(row, name) for row in rows])
        below.set_xlabel("λ1 (λ2 = 0)" if name == "lambda1" else _second_title(rows))
        _tidy(above)
        _tidy(below)
    panels[0][0].set_ylabel(f"top-1 on {report.dataset} (%)")
    panels[1][0].set_ylabel("published gain\n(points)")
    if report.rows[0].top1:
        panels[0][0].legend(frameon=False, fontsize=8)
    panels[1][0].legend(frameon=False, fontsize=8, ncols=2)


def _lambda_label(row: TableRow, name: str) -> str:
    return "0\n(decoder, no KD)" if row.definition.key == "tsm-decoder" else row.definition.labels[name]


def _second_title(rows: Sequence[TableRow]) -> str:
    return f"λ2 (λ1 = {rows[0].definition.labels['lambda1']})" if rows else "λ2"


def _lambda_lines(report: Report) -> tuple[list[TableRow], list[TableRow]]:
    """Rows over lambda1 at lambda2 = 0, and over lambda2 at the lambda1 that most rows of the search hold fixed."""
    rows = [row for row in report.rows if "logits" not in row.definition.key and row.definition.baselines]

    def weight(row: TableRow, name: str) -> float:
        return float(row.definition.labels[name])

    first = sorted((row for row in rows if weight(row, "lambda2") == 0), key=lambda row: weight(row, "lambda1"))
    searched = [row for row in rows if weight(row, "lambda2") > 0]
    held = [weight(row, "lambda1") for row in searched if row.top1] or [weight(row, "lambda1") for row in searched]
    fixed = max(sorted(set(held)), key=held.count)
    second = [row for row in rows if weight(row, "lambda1") == fixed]
    return first, sorted(second, key=lambda row: weight(row, "lambda2"))


def _published_gain(report: Report, row: TableRow, dataset: str) -> float | None:
    def top1(of: TableRow) -> float | None:
        return next((figure.top1 for figure in of.published if figure.dataset == dataset), None)

    value, baseline = top1(row), top1(report.rows[0])
    # The printed baseline is lambda1 = lambda2 = 0; our row at 0 has a decoder, which the paper does not show.
    return value - baseline if value is not None and baseline is not None else None


_FIGURES: dict[str, Callable[["Figure", Report], None]] = {"4": _draw_ablation, "5": _draw_lambdas}
