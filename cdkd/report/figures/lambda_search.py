"""Table 5 as a picture: accuracy over each loss weight with its spread over seeds, the published gains below."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cdkd.report.aggregate import TableRow, top1_by_seed
from cdkd.report.assemble import Report
from cdkd.report.figures.definition import table_figure
from cdkd.report.figures.style import BLUE, GREEN, MUTED, ORANGE, Drawing, legend_below, scatter_seeds, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PUBLISHED = {"UCF-101": (ORANGE, "s"), "SSV2": (GREEN, "^")}


def drawing(report: Report) -> Drawing | None:
    """Measured accuracy above; below it the published gains, since their data sets differ in level."""
    if not any(row.top1 for row in report.rows):
        return None
    return Drawing(
        name=report.table.file_stem,
        title=report.table.caption,
        caption=(
            f"Above: top-1 accuracy on {report.dataset} over each weight; points are means, whiskers the sample "
            "deviation over seeds, dots the seeds. Dashed: the three streams without distillation. Below: what the "
            "paper prints, as points above its row without distillation. Its λ1 was searched first, so the right "
            "column holds λ1 at one value, which its axis names."
        ),
        alt=_finding(report),
        height=4.6,
        draw=lambda figure: _draw(figure, report),
    )


def _finding(report: Report) -> str:
    parts = []
    first, second, fixed = _lines(report)
    for symbol, rows in (("λ1 (λ2 = 0)", first), (f"λ2 (λ1 = {fixed})", second)):
        measured = [(row.top1.mean, row) for row in rows if row.top1]
        if measured:
            name = "lambda1" if rows is first else "lambda2"
            values = ", ".join(f"{row.definition.labels[name]}: {mean:.1f} %" for mean, row in measured)
            parts.append(f"top-1 by {symbol}: {values}")
    return f"Measured on {report.dataset}, {'; '.join(parts) or 'no weight yet'}."


def _draw(figure: "Figure", report: Report) -> None:
    first, second, fixed = _lines(report)
    panels = figure.subplots(2, 2, sharex="col", sharey="row", height_ratios=(2, 1))
    for column, (name, rows) in enumerate((("lambda1", first), ("lambda2", second))):
        above, below = panels[0][column], panels[1][column]
        _draw_measured(above, rows, report.rows[0])
        _draw_published(below, rows, report.rows[0])
        below.set_xticks(range(len(rows)), [_label(row, name) for row in rows])
        below.set_xlabel("λ1 (λ2 = 0)" if name == "lambda1" else f"λ2 (λ1 = {fixed})")
        if not any(row.top1 for row in rows):
            above.text(0.5, 0.5, "no run", transform=above.transAxes, ha="center", color=MUTED)
    panels[0][0].set_ylabel(f"top-1 on {report.dataset} (%)")
    panels[1][0].set_ylabel("published gain\n(points)")
    legend_below(figure, panels.flat)


def _draw_measured(axes: "Axes", rows: Sequence[TableRow], plain: TableRow) -> None:
    positions = [x for x, row in enumerate(rows) if row.top1]
    means = [row.top1.mean for row in rows if row.top1]
    spread = [row.top1.deviation or 0.0 for row in rows if row.top1]
    label = "mean, ± sample deviation over seeds" if any(spread) else "one seed's accuracy"
    axes.errorbar(positions, means, spread, fmt="-o", color=BLUE, capsize=3, linewidth=1.5, markersize=5, label=label)
    for x, row in enumerate(rows):
        scatter_seeds(axes, x, list(top1_by_seed(row.runs).values()), "one seed" if row.top1 else "")
    if plain.top1:
        axes.axhline(plain.top1.mean, color=MUTED, linestyle="--", linewidth=1, label="three streams, no KD")
    tidy(axes)


def _draw_published(axes: "Axes", rows: Sequence[TableRow], plain: TableRow) -> None:
    for dataset, (colour, marker) in _PUBLISHED.items():
        gains = [_published_gain(plain, row, dataset) for row in rows]
        known = [(x, gain) for x, gain in enumerate(gains) if gain is not None]
        if known:
            label = f"{dataset} (published)"
            axes.plot(*zip(*known, strict=True), f"{marker}:", color=colour, linewidth=1, markersize=4, label=label)
    axes.axhline(0.0, color=MUTED, linestyle="--", linewidth=1)
    tidy(axes)


def _label(row: TableRow, name: str) -> str:
    return "0\n(decoder, no KD)" if row.definition.key == "tsm-decoder" else row.definition.labels[name]


def _lines(report: Report) -> tuple[list[TableRow], list[TableRow], str]:
    """Rows over lambda1 at lambda2 = 0; rows over lambda2 at one lambda1; that lambda1, as a text.

    It is the one above 0 that most measured rows of the search hold fixed, else that most rows do.
    """
    rows = [row for row in report.rows if "logits" not in row.definition.losses and row.definition.baselines]

    def weight(row: TableRow, name: str) -> float:
        return float(row.definition.labels[name])

    first = sorted((row for row in rows if weight(row, "lambda2") == 0), key=lambda row: weight(row, "lambda1"))
    # With lambda1 = 0 there is no spatial knowledge: such a row belongs to no search of lambda2 beside it.
    searched = [row for row in rows if weight(row, "lambda2") > 0 and weight(row, "lambda1") > 0]
    held = [weight(row, "lambda1") for row in searched if row.top1] or [weight(row, "lambda1") for row in searched]
    fixed = max(sorted(set(held)), key=held.count)
    second = [row for row in rows if weight(row, "lambda1") == fixed]
    return first, sorted(second, key=lambda row: weight(row, "lambda2")), f"{fixed:g}"


def _published_gain(plain: TableRow, row: TableRow, dataset: str) -> float | None:
    def top1(of: TableRow) -> float | None:
        return next((figure.top1 for figure in of.published if figure.dataset == dataset), None)

    value, baseline = top1(row), top1(plain)
    # The printed baseline is lambda1 = lambda2 = 0; our row at 0 has a decoder, which the paper does not show.
    return value - baseline if value is not None and baseline is not None else None


LAMBDA_SEARCH = table_figure("5", "lambda", "accuracy over each loss weight (Table 5)", drawing)
