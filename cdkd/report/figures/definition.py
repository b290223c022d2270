"""What a figure is, as data: its name, and how it is drawn from what is known of a study's runs."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cdkd.report.aggregate import TableRow
from cdkd.report.assemble import Report
from cdkd.report.figures.style import Drawing
from cdkd.report.videos import ScoreLoader
from cdkd.tracking.curves import Curve
from cdkd.tracking.inspection import Inspection

CurveLoader = Callable[[Mapping[str, Collection[str]]], Mapping[str, Mapping[str, Curve]]]
"""Run id -> names of metrics becomes run id -> name -> curve; what a run never logged is absent."""


@dataclass(frozen=True)
class Evidence:
    """What figures are drawn from: tables, and how to read more of their runs, where it can be read."""

    reports: Sequence[Report]
    """Tables."""
    curves: CurveLoader | None = None
    scores: ScoreLoader | None = None
    inspections: Callable[[str], Inspection | None] | None = None
    """Run id -> what it keeps of some test clips; None for a run that keeps nothing."""

    @property
    def of_rows(self) -> tuple[Report, ...]:
        """The tables whose rows' runs are looked into: a study's own, which has all of its rows, else each that ran."""
        measured = [report for report in self.reports if report.dataset]
        return tuple(report for report in measured if report.table.is_study) or tuple(measured)


@dataclass(frozen=True)
class FigureDefinition:
    """One figure."""

    name: str
    """What `--figure` calls it."""
    title: str
    """In a few words, for lists."""
    drawings: Callable[[Evidence], Iterable[Drawing]]
    """One picture per data set, per network or however many the figure needs; none where nothing is known."""
    table: str = ""
    """Of which table it is the picture, from its figures alone; empty: of none."""


def table_figure(table: str, name: str, title: str, drawing: Callable[[Report], Drawing | None]) -> FigureDefinition:
    """A figure that shows a table: once for each data set that the table was measured on."""

    def drawings(evidence: Evidence) -> Iterable[Drawing]:
        found = [drawing(report) for report in evidence.reports if report.table.name == table]
        return [one for one in found if one is not None]

    return FigureDefinition(name, title, drawings, table)


def rows_figure(
    name: str, title: str, drawing: Callable[[str, Report, Sequence[TableRow], Evidence], Drawing | None]
) -> FigureDefinition:
    """A figure that looks into the runs of a table's rows: once for each network that has some.

    Args:
        name: what `--figure` calls it.
        title: in a few words.
        drawing: makes it of (stem of its files, table, rows of one network that have runs, everything else known).
    """

    def drawings(evidence: Evidence) -> Iterable[Drawing]:
        for report in evidence.of_rows:
            blocks: dict[str, list[TableRow]] = {}
            for row in report.rows:
                if row.finished:
                    blocks.setdefault(row.definition.block, []).append(row)
            for block, rows in blocks.items():
                # A folder may hold the figures of several tables, data sets and networks.
                parts = [report.table.file_stem, name, *([block.replace(" ", "-")] if len(blocks) > 1 else [])]
                found = drawing("-".join(parts), report, rows, evidence)
                if found is not None:
                    yield found

    return FigureDefinition(name, title, drawings)
