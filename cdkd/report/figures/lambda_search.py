"""Table 5 as a picture: accuracy over each loss weight with its spread over seeds, the published gains below."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdkd.report.aggregate import TableRow, top1_by_seed
from cdkd.report.assemble import Report
from cdkd.report.figures.definition import table_figure
from cdkd.report.figures.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    Drawing,
    legend_below,
    scatter_seeds,
    tidy,
)
from cdkd.report.tables.lambda_search import plain_key
from cdkd.report.tables.networks import NETWORKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOOKS = {"tsm": (BLUE, "o"), "tdn": (PURPLE, "D")}
_PUBLISHED = {"UCF-101": (ORANGE, "s"), "SSV2": (GREEN, "^")}
_WEIGHTS = ("lambda1", "lambda2")


@dataclass(frozen=True)
class _Search:
    """One network's search."""

    arch: str
    plain: TableRow | None
    """The three streams without distillation."""
    by_weight: dict[str, list[TableRow]]
    """lambda1: rows over it at lambda2 = 0; lambda2: rows over it at one lambda1."""
    fixed: str
    """That lambda1, as a text."""

    def measured(self, name: str) -> list[tuple[str, float, TableRow]]:
        """Weight, mean accuracy and row, of those that have one."""
        return [(row.definition.labels[name], row.top1.mean, row) for row in self.by_weight[name] if row.top1]


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
    searches = _searches(report)
    for search in searches:
        for name, symbol in zip(_WEIGHTS, ("λ1 (λ2 = 0)", f"λ2 (λ1 = {search.fixed})"), strict=True):
            if measured := search.measured(name):
                values = ", ".join(f"{weight}: {mean:.1f} %" for weight, mean, _ in measured)
                parts.append(f"{_prefix(search, searches)}top-1 by {symbol}: {values}")
    return f"Measured on {report.dataset}, {'; '.join(parts) or 'no weight yet'}."


def _prefix(search: _Search, searches: Sequence[_Search]) -> str:
    """The network's name, where another one is drawn too."""
    return f"{NETWORKS[search.arch]}, " if len(searches) > 1 else ""


def _draw(figure: "Figure", report: Report) -> None:
    searches = _searches(report)
    paper, *others = searches
    panels = figure.subplots(2, 2, sharex="col", sharey="row", height_ratios=(2, 1))
    for column, name in enumerate(_WEIGHTS):
        above, below = panels[0][column], panels[1][column]
        weights = {row.definition.labels[name] for search in searches for row in search.by_weight[name]}
        places = {weight: x for x, weight in enumerate(sorted(weights, key=float))}
        for number, search in enumerate(searches):
            # Side by side, or the whiskers of one network would hide the other's.
            shift = 0.4 * (number - (len(searches) - 1) / 2)
            if search.measured(name):
                _draw_measured(above, search, name, {weight: x + shift for weight, x in places.items()}, searches)
        tidy(above)
        _draw_published(below, paper.by_weight[name], places, name, report.rows[0])
        below.set_xticks(range(len(places)), [_label(weight, name) for weight in places])
        elsewhere = "".join(f", {NETWORKS[each.arch]} {each.fixed}" for each in others if each.fixed != paper.fixed)
        below.set_xlabel("λ1 (λ2 = 0)" if name == "lambda1" else f"λ2 (λ1 = {paper.fixed}{elsewhere})")
        if not any(search.measured(name) for search in searches):
            above.text(0.5, 0.5, "no run", transform=above.transAxes, ha="center", color=MUTED)
    panels[0][0].set_ylabel(f"top-1 on {report.dataset} (%)")
    panels[1][0].set_ylabel("published gain\n(points)")
    legend_below(figure, panels.flat)


def _draw_measured(
    axes: "Axes", search: _Search, name: str, places: dict[str, float], searches: Sequence[_Search]
) -> None:
    measured = search.measured(name)
    colour, marker = _LOOKS[search.arch]
    spread = [(row.top1.deviation if row.top1 else None) or 0.0 for _, _, row in measured]
    what = "mean, ± sample deviation over seeds" if any(spread) else "one seed's accuracy"
    # The caption says what points and dots are; beside another network its name is enough.
    is_alone = len(searches) == 1
    axes.errorbar(
        [places[weight] for weight, _, _ in measured],
        [mean for _, mean, _ in measured],
        spread,
        fmt=f"-{marker}",
        color=colour,
        capsize=3,
        linewidth=1.5,
        markersize=5,
        label=what if is_alone else NETWORKS[search.arch],
    )
    for weight, _, row in measured:
        scatter_seeds(
            axes, places[weight], list(top1_by_seed(row.runs).values()), "one seed", INK if is_alone else colour
        )
    if search.plain is not None and search.plain.top1:
        axes.axhline(
            search.plain.top1.mean,
            color=colour,
            linestyle="--",
            linewidth=1,
            label=f"{_prefix(search, searches)}three streams, no KD",
        )


def _draw_published(axes: "Axes", rows: Sequence[TableRow], places: dict[str, int], name: str, plain: TableRow) -> None:
    for dataset, (colour, marker) in _PUBLISHED.items():
        gains = [(places[row.definition.labels[name]], _published_gain(plain, row, dataset)) for row in rows]
        known = [(x, gain) for x, gain in gains if gain is not None]
        if known:
            label = f"{dataset} (published)"
            axes.plot(*zip(*known, strict=True), f"{marker}:", color=colour, linewidth=1, markersize=4, label=label)
    axes.axhline(0.0, color=MUTED, linestyle="--", linewidth=1)
    tidy(axes)


def _label(weight: str, name: str) -> str:
    return "0\n(decoder, no KD)" if name == "lambda1" and float(weight) == 0 else weight


def _searches(report: Report) -> list[_Search]:
    """The paper's network, and others that something was measured of."""
    found: list[_Search] = []
    for arch in NETWORKS:
        rows = [row for row in report.rows if row.definition.block == arch]
        if not found or any(row.top1 for row in rows):
            found.append(_search(arch, rows))
    return found


def _search(arch: str, rows: Sequence[TableRow]) -> _Search:
    """The lambda1 that lambda2 is searched beside is the one above 0 that most measured rows, else most rows, have."""
    plain = next((row for row in rows if row.definition.key == plain_key(arch)), None)
    rows = [row for row in rows if "logits" not in row.definition.losses and row.definition.baselines]

    def weight(row: TableRow, name: str) -> float:
        return float(row.definition.labels[name])

    first = sorted((row for row in rows if weight(row, "lambda2") == 0), key=lambda row: weight(row, "lambda1"))
    # With lambda1 = 0 there is no spatial knowledge: such a row belongs to no search of lambda2 beside it.
    searched = [row for row in rows if weight(row, "lambda2") > 0 and weight(row, "lambda1") > 0]
    held = [weight(row, "lambda1") for row in searched if row.top1] or [weight(row, "lambda1") for row in searched]
    if not held:
        return _Search(arch, plain, {"lambda1": first, "lambda2": []}, "none")
    fixed = max(sorted(set(held)), key=held.count)
    second = sorted((row for row in rows if weight(row, "lambda1") == fixed), key=lambda row: weight(row, "lambda2"))
    return _Search(arch, plain, {"lambda1": first, "lambda2": second}, f"{fixed:g}")


def _published_gain(plain: TableRow, row: TableRow, dataset: str) -> float | None:
    def top1(of: TableRow) -> float | None:
        return next((figure.top1 for figure in of.published if figure.dataset == dataset), None)

    value, baseline = top1(row), top1(plain)
    # The printed baseline is lambda1 = lambda2 = 0; our row at 0 has a decoder, which the paper does not show.
    return value - baseline if value is not None and baseline is not None else None


LAMBDA_SEARCH = table_figure("5", "lambda", "accuracy over each loss weight (Table 5)", drawing)
