"""What a table shows of a row; one line adds a column."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cdkd.report.aggregate import Accuracy, TableRow
from cdkd.report.statistics import Interval
from cdkd.report.table_definition import TableDefinition


@dataclass(frozen=True)
class TableCell:
    """Text with the footnotes that it carries."""

    text: str
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Column:
    """One column as people read it."""

    group: str
    """Header above neighbouring columns: "", "measured" or "published"."""
    header: str
    """Lines are separated by a line feed."""
    cell: Callable[[TableRow], TableCell]
    is_text: bool = False
    """Aligned to the left."""


def signed(value: float) -> str:
    """+1.2, -0.5, and 0.0 without a sign."""
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def interval_text(interval: Interval) -> str:
    """[+1.2, +3.4] in points."""
    return f"[{signed(interval.low)}, {signed(interval.high)}]"


def _accuracy(value: Accuracy | None) -> str:
    if value is None:
        return "-"
    spread = "" if value.deviation is None else f" ± {value.deviation:.1f}"
    return f"{value.mean:.1f}{spread} ({value.num_seeds})"


def _top1(row: TableRow) -> TableCell:
    if row.top1 is not None:
        return TableCell(_accuracy(row.top1))
    if row.definition.settings is None:
        return TableCell("")
    # Of several unfinished runs the cell names each status, the note below the table the runs.
    statuses = sorted({run.status_text for run in row.runs})
    return TableCell(", ".join(statuses) if statuses else "no run")


def _top5(row: TableRow) -> TableCell:
    if row.top5 is None:
        return TableCell("")
    return TableCell(_accuracy(row.top5).rsplit(" (", 1)[0])


def _difference(row: TableRow) -> TableCell:
    if row.difference is None:
        return TableCell("")
    if row.difference.interval is not None:
        return TableCell(f"{signed(row.difference.mean)} {interval_text(row.difference.interval)}")
    return TableCell(signed(row.difference.mean))


def _over_videos(row: TableRow) -> TableCell:
    return TableCell(interval_text(row.videos.interval) if row.videos else "")


def _p_value(row: TableRow) -> TableCell:
    if row.difference is None:
        return TableCell("")
    return TableCell("n too small" if row.adjusted_p is None else f"{row.adjusted_p:.3f}")


def _gflops(row: TableRow) -> TableCell:
    if row.cost is None:
        return TableCell("" if row.top1 is None else "-")
    # Networks for small pictures cost less than what the published figures are rounded to.
    return TableCell(f"{row.cost.gflops:,.0f}" if row.cost.gflops >= 10 else f"{row.cost.gflops:.2g}")


MEASURED: tuple[Column, ...] = (
    Column("measured", "top-1", _top1),
    Column("measured", "top-5", _top5),
    Column("measured", "difference\n[95 %]", _difference),
)
OVER_VIDEOS = Column("measured", "over videos\n[95 %]", _over_videos)
P_VALUE = Column("measured", "Holm\np", _p_value)
GFLOPS = Column("measured", "GFLOPs", _gflops)
_MEASURE_NAMES = {"top1": "top-1", "top5": "top-5", "gflops": "GFLOPs"}

_SHORT_NAMES = {"Kinetics-400": "K400"}


def _weights(row: TableRow) -> TableCell:
    return TableCell(", ".join(f"{weight:g}" for weight in row.weights.values()))


WEIGHTS = Column("", "weight", _weights)


def _published(dataset: str, measure: str) -> Column:
    def cell(row: TableRow) -> TableCell:
        for figure in row.published:
            if figure.dataset == dataset:
                value = getattr(figure, measure)
                if value is None:
                    return TableCell("-")
                text = f"{value:,.0f}" if measure == "gflops" else f"{value:.1f}"
                return TableCell(text, (figure.note,) if figure.note and measure == "top1" else ())
        return TableCell("-")

    return Column("published", f"{_SHORT_NAMES.get(dataset, dataset)}\n{_MEASURE_NAMES[measure]}", cell)


def _label(key: str, header: str) -> Column:
    return Column("", header, lambda row: TableCell(row.definition.labels.get(key, "-")), is_text=True)


def columns_of(table: TableDefinition, rows: Sequence[TableRow]) -> tuple[Column, ...]:
    """The columns of a table; what no row can fill is left out."""
    measured = [*MEASURED]
    if not any(row.difference and row.difference.interval for row in rows):
        measured[-1] = replace(measured[-1], header="difference")
    if any(row.videos for row in rows):
        measured.append(OVER_VIDEOS)
    if any(row.adjusted_p is not None for row in rows):
        measured.append(P_VALUE)
    # Costs stand where the paper prints its own.
    if any(row.top1 for row in rows) and any(measure == "gflops" for _, measure in table.published_columns):
        measured.append(GFLOPS)
    return (
        Column("", "method", lambda row: TableCell(row.definition.method), is_text=True),
        *(_label(key, header) for key, header in table.label_columns),
        *([WEIGHTS] if table.weights_by_row else []),
        *measured,
        *(_published(dataset, measure) for dataset, measure in table.published_columns),
    )


@dataclass(frozen=True)
class Field:
    """One column as programs read it: full precision, one value a cell."""

    name: str
    value: Callable[[TableRow], object]


def _mcnemar(row: TableRow) -> str | None:
    if row.videos is None:
        return None
    return " ".join(f"{seed}:{test.p_value:.6g}" for seed, test in row.videos.mcnemar.items())


FIELDS: tuple[Field, ...] = (
    Field("row", lambda row: row.definition.key),
    Field("method", lambda row: row.definition.method),
    Field("top1_mean", lambda row: row.top1 and row.top1.mean),
    Field("top1_deviation", lambda row: row.top1 and row.top1.deviation),
    Field("num_seeds", lambda row: row.top1.num_seeds if row.top1 else 0),
    Field("top5_mean", lambda row: row.top5 and row.top5.mean),
    Field("top5_deviation", lambda row: row.top5 and row.top5.deviation),
    Field("validation_top1_mean", lambda row: row.validation and row.validation.mean),
    Field("baseline", lambda row: row.definition.baseline),
    Field("difference_mean", lambda row: row.difference and row.difference.mean),
    Field("difference_pairs", lambda row: row.difference and row.difference.num_pairs),
    Field("difference_low", lambda row: row.difference and row.difference.interval and row.difference.interval.low),
    Field("difference_high", lambda row: row.difference and row.difference.interval and row.difference.interval.high),
    Field("difference_p_holm", lambda row: row.adjusted_p),
    Field("over_videos_low", lambda row: row.videos and row.videos.interval.low),
    Field("over_videos_high", lambda row: row.videos and row.videos.interval.high),
    Field("mcnemar_p_by_seed", _mcnemar),
    Field("gflops", lambda row: row.cost and row.cost.gflops),
    Field("gmacs_per_view", lambda row: row.cost and row.cost.gmacs_per_view),
    Field("num_views", lambda row: row.cost and row.cost.num_views),
    Field("parameters", lambda row: row.cost and row.cost.parameters),
    Field("seeds", lambda row: " ".join(str(source.seed) for source in row.teachers or row.finished)),
    Field(
        "unfinished", lambda row: " ".join(f"{run.seed}:{run.status_text}" for run in row.runs if not run.is_finished)
    ),
    Field("run_ids", lambda row: " ".join(run.run_id for run in row.sources)),
    Field("code", lambda row: " ".join(sorted({run.code for run in row.sources}))),
)


def fields_of(table: TableDefinition) -> tuple[Field, ...]:
    """Fields of every table, then this one's label columns, weights, and published figures with their source."""
    labels = [Field(key, _label_value(key)) for key, _ in table.label_columns]
    published = [
        Field(f"published_{dataset.lower()}_{measure}", _published_value(dataset, measure))
        for dataset, measure in table.published_columns
    ]
    weights = [Field("weights", _weights_by_loss)] if table.weights_by_row else []
    source = Field("published_source", lambda row: row.published[0].source if row.published else None)
    return (*FIELDS[:2], *labels, *weights, *FIELDS[2:], *published, source)


def _weights_by_loss(row: TableRow) -> str:
    return " ".join(f"{name}:{weight:g}" for name, weight in row.weights.items())


def _label_value(key: str) -> Callable[[TableRow], object]:
    return lambda row: row.definition.labels.get(key)


def _published_value(dataset: str, measure: str) -> Callable[[TableRow], object]:
    return lambda row: next((getattr(f, measure) for f in row.published if f.dataset == dataset), None)
