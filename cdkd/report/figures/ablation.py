"""Table 4 as a picture: each row's difference from its network's three streams, with its interval and its seeds."""

from typing import TYPE_CHECKING

from cdkd.report.aggregate import TableRow, top1_by_seed
from cdkd.report.assemble import Report
from cdkd.report.columns import interval_text, signed
from cdkd.report.figures.definition import table_figure
from cdkd.report.figures.style import BLUE, GREY, INK, MUTED, Drawing, legend_below, scatter_seeds, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def drawing(report: Report) -> Drawing | None:
    """Bars that stand on the baseline, so that their length is the difference and no axis is cut unsaid."""
    if not any(row.top1 and not row.teachers for row in report.rows):
        return None
    return Drawing(
        name=f"{report.table.file_stem}",
        title=report.table.caption,
        caption=(
            f"Top-1 accuracy on {report.dataset}. Bars reach from the three streams' mean (dashed) to the row's: their "
            "length is the difference. Whiskers are the 95 % interval of that difference, as in the table; where they "
            "cross the dashed line, these runs cannot tell the row from it. A whisker without an end goes on beyond "
            "the picture. Dots are seeds."
        ),
        alt=_finding(report),
        height=4.1,
        draw=lambda figure: _draw(figure, report),
    )


def _finding(report: Report) -> str:
    sentences = []
    for row in report.rows:
        for name, difference in list(row.differences.items())[:1]:
            interval = f", 95 % interval {interval_text(difference.interval)}" if difference.interval else ""
            sentences.append(f"{row.definition.name}: {signed(difference.mean)} points over {name}{interval}")
    return f"Top-1 on {report.dataset}. " + ("; ".join(sentences) or "No row can be compared yet") + "."


def _draw(figure: "Figure", report: Report) -> None:
    blocks: dict[str, list[TableRow]] = {}
    for row in report.rows:
        blocks.setdefault(row.definition.block, []).append(row)
    # A network that nothing was measured of would be an empty panel.
    blocks = {block: rows for block, rows in blocks.items() if any(row.top1 for row in rows)}
    panels = figure.subplots(1, len(blocks), sharey=True, squeeze=False)[0]
    for axes, (block, rows) in zip(panels, blocks.items(), strict=True):
        _draw_block(axes, block, rows)
    # With two seeds an interval may reach beyond all accuracies there are, and would press the bars flat.
    low, high = panels[0].get_ylim()
    panels[0].set_ylim(max(low, 0.0), min(high, 100.0))
    panels[0].set_ylabel(f"top-1 on {report.dataset} (%)")
    legend_below(figure, panels, columns=3)


def _draw_block(axes: "Axes", block: str, rows: list[TableRow]) -> None:
    students = [row for row in rows if not row.teachers]
    baseline = students[0].top1
    if baseline:
        axes.axhline(baseline.mean, color=MUTED, linestyle="--", linewidth=1, label="mean of three streams")
    for x, row in enumerate(students):
        _draw_row(axes, x, row, baseline.mean if baseline else None)
    axes.set_xticks(range(len(students)), [_label(row) for row in students])
    axes.set_xlim(-0.6, len(students) - 0.4)
    axes.margins(y=0.12)
    # In words: far above its students, it would press their bars flat.
    teachers = [f", its teacher {row.top1.mean:.1f} %" for row in rows if row.teachers and row.top1]
    axes.set_title(f"{block.upper()} student" + "".join(teachers))
    tidy(axes)


def _draw_row(axes: "Axes", x: int, row: TableRow, baseline: float | None) -> None:
    if row.top1 is None:
        status = ", ".join(sorted({run.status_text for run in row.runs})) or "no run"
        axes.text(x, 0.03, status, transform=axes.get_xaxis_transform(), ha="center", rotation=90, color=MUTED)
        return
    is_ours = bool(row.definition.losses)
    if row.definition.baselines and baseline is not None:
        label = "with distillation" if is_ours else "decoder alone"
        axes.bar(x, row.top1.mean - baseline, 0.62, bottom=baseline, color=BLUE if is_ours else GREY, label=label)
        first = next(iter(row.differences.values()), None)
        if first is not None and first.interval is not None:
            # Around the bar's end, but of the difference: rows and baseline vary together from seed to seed.
            below, above = first.mean - first.interval.low, first.interval.high - first.mean
            axes.errorbar(
                x,
                baseline + first.mean,
                [[below], [above]],
                fmt="none",
                ecolor=INK,
                capsize=4,
                linewidth=1.2,
                label="95 % interval of the difference",
            )
    scatter_seeds(axes, x, list(top1_by_seed(row.runs).values()), "one seed")


def _label(row: TableRow) -> str:
    if not row.definition.baselines:
        return "three\nstreams"
    if not row.definition.losses:
        return "decoder,\nno KD"
    names = [name for name in ("spatial", "temporal") if name in row.definition.losses]
    return " +\n".join(names) if len(names) > 1 else f"{names[0]}\nKD"


ABLATION = table_figure("4", "ablation", "what each kind of knowledge adds (Table 4)", drawing)
