"""What a table shows of a row; one line adds a column."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from cdkd.report.aggregate import Accuracy, TableRow
from cdkd.report.statistics import Interval, PairedDifference
from cdkd.report.table_definition import TableDefinition
from cdkd.report.tables.networks import teacher_backbone


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
    follows: bool = False
    """It is read with the column before it, and never parted from it."""


def signed(value: float) -> str:
    """+1.2, -0.5, and 0.0 without a sign."""
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def interval_text(interval: Interval) -> str:
    """[+1.2, +3.4] in points; (0.0, +3.4] where the bound does not belong to it."""
    is_open = interval.is_open_at_zero
    opening, closing = "(" if is_open and interval.low == 0.0 else "[", ")" if is_open and interval.high == 0.0 else "]"
    return f"{opening}{signed(interval.low)}, {signed(interval.high)}{closing}"


def p_text(p_value: float) -> str:
    """Three digits; never 0."""
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


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


def _validation(row: TableRow) -> TableCell:
    return TableCell("" if row.validation is None else f"{row.validation.mean:.1f}")


def _taught_by(row: TableRow) -> TableCell:
    return TableCell("" if row.taught_by is None else f"{row.taught_by.mean:.1f}")


def _compared(name: str, rows: Sequence[TableRow]) -> list[Column]:
    """What is shown of the rows' differences from the baseline of this name; nothing where no row has one."""
    found = [row.differences[name] for row in rows if name in row.differences]
    if not found:
        return []
    interval = "\n[95 %]" if any(difference.interval for difference in found) else ""
    columns = [Column("measured", f"over {name}{interval}", partial(_difference, name))]
    if any(name in row.videos for row in rows):
        columns.append(Column("measured", "seeds, videos\n[95 %]", partial(_over_videos, name), follows=True))
    if any(difference.p_value is not None for difference in found):
        columns.append(Column("measured", "p", partial(_p_value, name), follows=True))
    return columns


def _difference(name: str, row: TableRow) -> TableCell:
    difference = row.differences.get(name)
    if difference is None:
        return TableCell("")
    interval = "" if difference.interval is None else f" {interval_text(difference.interval)}"
    return TableCell(f"{signed(difference.mean)}{interval}")


def _over_videos(name: str, row: TableRow) -> TableCell:
    return TableCell(interval_text(row.videos[name].interval) if name in row.videos else "")


def _p_value(name: str, row: TableRow) -> TableCell:
    difference = row.differences.get(name)
    if difference is None:
        return TableCell("")
    return TableCell("-" if difference.p_value is None else p_text(difference.p_value))


def _gap_closed(row: TableRow) -> TableCell:
    return TableCell("" if row.gap_closed is None else f"{round(100 * row.gap_closed)} %")


def _gflops(rows: Sequence[TableRow]) -> Column:
    """Costs with as many digits as the smallest needs, since networks for small pictures cost thousandths."""
    least = min((row.cost.gflops for row in rows if row.cost and row.cost.gflops > 0), default=100.0)
    digits = 0 if least >= 10 else 1 - math.floor(math.log10(least))

    def cell(row: TableRow) -> TableCell:
        if row.cost is None:
            return TableCell("" if row.top1 is None else "-")
        return TableCell(f"{row.cost.gflops:,.{digits}f}")

    return Column("measured", "GFLOPs", cell)


MEASURED: tuple[Column, ...] = (
    Column("measured", "top-1", _top1),
    Column("measured", "top-5", _top5),
)


def is_measured_top1(column: Column) -> bool:
    """The column shows the test accuracy that rows are compared by."""
    return column.header == "top-1" and column.group == "measured"


VALIDATION = Column("measured", "validation\ntop-1", _validation)
TEACHER = Column("measured", "teacher\ntop-1", _taught_by)
GAP_CLOSED = Column("measured", "gap\nclosed", _gap_closed)
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


def _label(table: TableDefinition, key: str, header: str) -> Column:
    def cell(row: TableRow) -> TableCell:
        printed, measured = row.definition.labels.get(key, ""), _measured_label(table, row, key)
        if printed and measured and printed != measured:
            return TableCell(f"{printed}; ours: {measured}")
        return TableCell(measured or printed or "-")

    return Column("", header, cell, is_text=True)


def _measured_label(table: TableDefinition, row: TableRow, key: str) -> str:
    """What a label column shows of the runs behind a row; nothing where they do not say."""
    if table.measured_labels is None or not row.sources:
        return ""
    read = teacher_backbone if row.teachers else table.measured_labels
    return read(row.sources[0].settings).get(key, "")


def columns_of(table: TableDefinition, rows: Sequence[TableRow]) -> tuple[Column, ...]:
    """The columns of a table; what no row can fill is left out."""
    measured = [*MEASURED]
    if table.is_study:
        measured += [VALIDATION] if any(row.validation for row in rows) else []
        measured += [TEACHER] if any(row.taught_by for row in rows) else []
    for name in table.baseline_names:
        measured += _compared(name, rows)
    if any(row.gap_closed is not None for row in rows):
        measured.append(GAP_CLOSED)
    if table.has_costs and any(row.top1 for row in rows):
        measured.append(_gflops(rows))
    # A study's axes say all that its rows are.
    is_named_by_labels = table.is_study and table.label_columns
    method = Column("", "method", lambda row: TableCell(row.definition.method), is_text=True)
    return (
        *([] if is_named_by_labels else [method]),
        *(_label(table, key, header) for key, header in table.label_columns),
        *([WEIGHTS] if table.weights_by_row else []),
        *measured,
        *(
            replace(_published(*what), follows=place > 0)  # one method's printed figures are read together
            for place, what in enumerate(table.published_columns)
        ),
    )


@dataclass(frozen=True)
class Field:
    """One column as programs read it: full precision, one value a cell."""

    name: str
    value: Callable[[TableRow], object]


FIELDS: tuple[Field, ...] = (
    Field("row", lambda row: row.definition.key),
    Field("method", lambda row: row.definition.method),
    Field("top1_mean", lambda row: row.top1 and row.top1.mean),
    Field("top1_deviation", lambda row: row.top1 and row.top1.deviation),
    Field("num_seeds", lambda row: row.top1.num_seeds if row.top1 else 0),
    Field("top5_mean", lambda row: row.top5 and row.top5.mean),
    Field("top5_deviation", lambda row: row.top5 and row.top5.deviation),
    Field("validation_top1_mean", lambda row: row.validation and row.validation.mean),
    Field("teacher_top1_mean", lambda row: row.taught_by and row.taught_by.mean),
    Field("gap_closed", lambda row: row.gap_closed),
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
    # An axis of a study may be called as anything.
    prefix = "labels." if table.is_study else ""
    labels = [Field(f"{prefix}{key}", _label_value(key)) for key, _ in table.label_columns]
    published = [
        Field(f"published_{dataset.lower()}_{measure}", _published_value(dataset, measure))
        for dataset, measure in table.published_columns
    ]
    weights = [Field("weights", _weights_by_loss)] if table.weights_by_row else []
    source = Field("published_source", lambda row: row.published[0].source if row.published else None)
    compared = [field for name in table.baseline_names for field in _compared_fields(name)]
    return (*FIELDS[:2], *labels, *weights, *FIELDS[2:], *compared, *published, source)


def _compared_fields(name: str) -> list[Field]:
    """Every figure of the differences from the baseline of this name."""

    def difference(value: Callable[[PairedDifference], object]) -> Callable[[TableRow], object]:
        return lambda row: value(row.differences[name]) if name in row.differences else None

    def videos(value: Callable[[Interval], object]) -> Callable[[TableRow], object]:
        return lambda row: value(row.videos[name].interval) if name in row.videos else None

    prefix = f"over_{name.replace(' ', '_')}"
    return [
        Field(f"{prefix}_row", lambda row: row.definition.baselines.get(name)),
        Field(f"{prefix}_mean", difference(lambda found: found.mean)),
        Field(f"{prefix}_deviation", difference(lambda found: found.deviation)),
        Field(f"{prefix}_pairs", difference(lambda found: found.num_pairs)),
        Field(f"{prefix}_low", difference(lambda found: found.interval and found.interval.low)),
        Field(f"{prefix}_high", difference(lambda found: found.interval and found.interval.high)),
        Field(f"{prefix}_p", difference(lambda found: found.p_value)),
        Field(f"{prefix}_sign_flip_p", difference(lambda found: found.sign_flip_p)),
        Field(f"{prefix}_videos_low", videos(lambda interval: interval.low)),
        Field(f"{prefix}_videos_high", videos(lambda interval: interval.high)),
    ]


def _weights_by_loss(row: TableRow) -> str:
    return " ".join(f"{name}:{weight:g}" for name, weight in row.weights.items())


def _label_value(key: str) -> Callable[[TableRow], object]:
    return lambda row: row.definition.labels.get(key)


def _published_value(dataset: str, measure: str) -> Callable[[TableRow], object]:
    return lambda row: next((getattr(f, measure) for f in row.published if f.dataset == dataset), None)
