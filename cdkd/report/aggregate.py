"""A row's runs become its mean, its spread, and its paired difference from the baseline row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cdkd.effective_settings import active_losses
from cdkd.report.protocol import Variant
from cdkd.report.published import PublishedFigure
from cdkd.report.statistics import PairedDifference, holm, mean, paired_difference, sample_deviation
from cdkd.report.table_definition import RowDefinition
from cdkd.report.teachers import TaughtBy
from cdkd.report.tracked import Run
from cdkd.report.videos import VideoComparison


@dataclass(frozen=True)
class Accuracy:
    """One measure over seeds."""

    mean: float
    """Percent."""
    deviation: float | None
    """Sample standard deviation in points; None for one seed."""
    num_seeds: int


@dataclass(frozen=True)
class Cost:
    """Of one network under one test-time protocol."""

    gmacs_per_view: float
    """10^9 multiply-adds for one crop of one clip."""
    num_views: int
    """Clips times crops per video."""
    parameters: int

    @property
    def gflops(self) -> float:
        """10^9 multiply-adds per video, which the paper's tables call GFLOPs."""
        return self.gmacs_per_view * self.num_views


@dataclass(frozen=True)
class TableRow:
    """One row of a table with everything that its cells need."""

    definition: RowDefinition
    published: Sequence[PublishedFigure]
    runs: Sequence[Run]
    """One per seed, whatever became of it."""
    top1: Accuracy | None
    top5: Accuracy | None
    validation: Accuracy | None
    """Top-1 on validation videos."""
    difference: PairedDifference | None
    """Top-1 minus the baseline row's, paired by seed."""
    adjusted_p: float | None = None
    """Holm's correction of the difference's p over the rows of the table."""
    videos: VideoComparison | None = None
    """The same comparison over test videos, where per-video scores were read."""
    cost: Cost | None = None
    """None where no run has counted it."""
    teachers: Sequence[TaughtBy] = ()
    """The teachers behind the means of a teacher's row, which has no runs of its own."""

    @property
    def finished(self) -> tuple[Run, ...]:
        """The row's own runs behind the means."""
        return tuple(run for run in self.runs if run.is_finished)

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each loss in the row's runs, which all have the same; empty where there is no run."""
        return active_losses(self.runs[0].settings) if self.runs else {}

    @property
    def sources(self) -> tuple[Run, ...]:
        """The runs that the figures come from; of a teacher's row those of its students."""
        return tuple(teacher.run for teacher in self.teachers) or self.finished


def cost_of(metadata: Mapping[str, str], of: str = "") -> Cost | None:
    """The cost among a run's metadata; None where the run did not count it.

    Args:
        metadata: of the run.
        of: "teacher_" for the run's teacher instead of its student.
    """
    try:
        return Cost(
            gmacs_per_view=float(metadata[f"{of}gmacs_per_view"]),
            num_views=int(metadata["num_views"]),
            parameters=int(metadata[f"{of}parameters"]),
        )
    except KeyError:
        return None


def accuracy(runs: Sequence[Run], metric: str) -> Accuracy | None:
    """Mean and deviation of a metric over runs of different seeds; None where no run has it."""
    return _over_seeds([run.metrics[metric] for run in runs if metric in run.metrics])


def _over_seeds(values: Sequence[float]) -> Accuracy | None:
    return Accuracy(mean(values), sample_deviation(values), len(values)) if values else None


def top1_by_seed(runs: Sequence[Run]) -> dict[int, float]:
    """Test accuracy in percent of each finished run, by seed."""
    return {run.seed: run.metrics["test_top1"] for run in runs if run.is_finished}


def aggregate_row(
    definition: RowDefinition, chosen: Mapping[str, Variant], published: Sequence[PublishedFigure]
) -> TableRow:
    """One row from the chosen runs; its baseline is looked up among them."""
    variant = chosen.get(definition.key)
    runs = variant.runs if variant else ()
    finished = variant.finished if variant else ()
    baseline = chosen.get(definition.baseline) if definition.baseline else None
    return TableRow(
        definition=definition,
        published=published,
        runs=runs,
        top1=accuracy(finished, "test_top1"),
        top5=accuracy(finished, "test_top5"),
        validation=accuracy(finished, "validation_top1"),
        # Paired, since runs of one seed share their order of clips and their crops.
        difference=paired_difference(top1_by_seed(runs), top1_by_seed(baseline.runs)) if baseline else None,
        # The same for all of a row's runs, so the first that has counted it will do.
        cost=next((cost for run in finished if (cost := cost_of(run.metadata))), None),
    )


def teacher_row(
    definition: RowDefinition, teachers: Sequence[TaughtBy], published: Sequence[PublishedFigure]
) -> TableRow:
    """The row of the raw-domain networks that the students learnt from; published only where no figure is known."""
    return TableRow(
        definition=definition,
        published=published,
        runs=(),
        top1=_over_seeds([teacher.top1 for teacher in teachers]),
        top5=_over_seeds([teacher.top5 for teacher in teachers]),
        validation=None,
        difference=None,
        cost=next((cost for teacher in teachers if (cost := cost_of(teacher.run.metadata, "teacher_"))), None),
        teachers=teachers,
    )


def correct_for_many_rows(rows: Sequence[TableRow]) -> tuple[TableRow, ...]:
    """Holm's correction over the rows of a table that have enough seeds to test."""
    # Over all rows that a reader sees together: of twenty true null hypotheses one would look significant.
    adjusted = holm([row.difference.p_value if row.difference else None for row in rows])
    return tuple(replace(row, adjusted_p=p) for row, p in zip(rows, adjusted, strict=True))
