"""A table's answer in a sentence: its best row by validation, what that is worth over its baseline, its teacher."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdkd.metric_names import TEST_TOP1, VALIDATION_TOP1
from cdkd.report.aggregate import TableRow
from cdkd.report.assemble import Report
from cdkd.report.columns import interval_text, signed


@dataclass(frozen=True)
class Summary:
    """Of the rows of one section (a stage of a study, or a whole table) on one data set."""

    section: str
    dataset: str
    best: TableRow
    """Highest mean on validation videos; where no run has any, the highest on test, which then chose."""
    is_chosen_on_test: bool

    @property
    def metrics(self) -> dict[str, float]:
        """As MLflow keeps them, in percent and points."""
        best = self.best
        found = {f"best/{TEST_TOP1}": best.top1, f"best/{VALIDATION_TOP1}": best.validation}
        found["best/teacher/test_top1"] = best.taught_by
        metrics = {name: value.mean for name, value in found.items() if value is not None}
        for name, difference in list(best.differences.items())[:1]:
            metrics[f"best/over_{name.replace(' ', '_')}"] = difference.mean
        return metrics

    @property
    def text(self) -> str:
        """One sentence."""
        best = self.best
        assert best.top1 is not None
        spread = "" if best.top1.deviation is None else f" ± {best.top1.deviation:.1f}"
        seeds = f"{best.top1.num_seeds} seed{'s' * (best.top1.num_seeds != 1)}"
        parts = [f"{best.definition.name} reaches {best.top1.mean:.1f}{spread} % top-1 on {self.dataset} ({seeds})"]
        for name, difference in list(best.differences.items())[:1]:
            interval = f" {interval_text(difference.interval)}" if difference.interval else ""
            parts.append(f"{signed(difference.mean)}{interval} points over {name}")
        if best.taught_by is not None:
            parts.append(f"its teacher {best.taught_by.mean:.1f} %")
        how = (
            "best on test, since no validation videos were held out" if self.is_chosen_on_test else "best on validation"
        )
        return f"{', '.join(parts)}; {how}."


def summaries_of(report: Report) -> Sequence[Summary]:
    """One per section and data set, in their order; none where nothing has an accuracy."""
    sections: dict[tuple[str, str], list[TableRow]] = {}
    for row in report.rows:
        if row.top1 is not None and not row.teachers:
            sections.setdefault((row.definition.section, row.runs[0].dataset), []).append(row)
    return tuple(_summary(section, dataset, rows) for (section, dataset), rows in sections.items())


def _summary(section: str, dataset: str, rows: Sequence[TableRow]) -> Summary:
    validated = [row for row in rows if row.validation is not None]

    def reached(row: TableRow) -> float:
        accuracy = row.validation if validated else row.top1
        assert accuracy is not None
        return accuracy.mean

    # Of equals `max` takes the table's first.
    return Summary(section, dataset, max(validated or rows, key=reached), not validated)
