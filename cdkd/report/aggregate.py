"""A row's runs become its mean, its spread, and its paired differences from the rows that it is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cdkd.effective_settings import active_losses
from cdkd.metric_names import TEST_TOP1, TEST_TOP5, VALIDATION_TOP1
from cdkd.report.protocol import Variant
from cdkd.report.published import PublishedFigure
from cdkd.report.statistics import PairedDifference, correct_family, mean, paired_difference, sample_deviation
from cdkd.report.table_definition import RowDefinition
from cdkd.report.teachers import TaughtBy, one_per_teacher_seed
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
    differences: Mapping[str, PairedDifference]
    """Top-1 minus a baseline row's, paired by seed, by what the baseline is called (`RowDefinition.baselines`)."""
    videos: Mapping[str, VideoComparison] = field(default_factory=dict)
    """The same comparisons over seeds and test videos, where per-video scores were read."""
    gap_closed: float | None = None
    """Share of the way from the first baseline to the teacher, 1 being all of it; None where it is not known."""
    cost: Cost | None = None
    """None where no run has counted it."""
    teachers: Sequence[TaughtBy] = ()
    """The teachers behind the means of a teacher's row, which has no runs of its own."""
    taught_by: Accuracy | None = None
    """What the teachers of the row's own runs reach on their test; None where it learnt from none, or no run knows."""
    planned_seeds: Sequence[int] = ()
    """Seeds that a study asked for; () where nobody asked for the row: every seed of its table then."""

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
    return {run.seed: run.metrics[TEST_TOP1] for run in runs if run.is_finished}


def aggregate_row(
    definition: RowDefinition, chosen: Mapping[str, Variant], published: Sequence[PublishedFigure]
) -> TableRow:
    """One row from the chosen runs; its baselines are looked up among them."""
    variant = chosen.get(definition.key)
    runs = variant.runs if variant else ()
    finished = variant.finished if variant else ()
    own = top1_by_seed(runs)
    baselines = {name: chosen[key] for name, key in definition.baselines.items() if key in chosen}
    # Paired, since runs of one seed share their order of clips and their crops.
    compared = {name: paired_difference(own, top1_by_seed(other.runs)) for name, other in baselines.items()}
    return TableRow(
        definition=definition,
        published=published,
        runs=runs,
        top1=accuracy(finished, TEST_TOP1),
        top5=accuracy(finished, TEST_TOP5),
        validation=accuracy(finished, VALIDATION_TOP1),
        differences={name: difference for name, difference in compared.items() if difference is not None},
        taught_by=_taught_by(finished),
        # The same for all of a row's runs, so the first that has counted it will do.
        cost=next((cost for run in finished if (cost := cost_of(run.metadata))), None),
    )


def _taught_by(runs: Sequence[Run]) -> Accuracy | None:
    """Over teachers, not over runs: several seeds of a row may share one."""
    learning = [run for run in runs if active_losses(run.settings)]
    return _over_seeds([teacher.top1 for teacher in one_per_teacher_seed(learning)])


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
        differences={},
        cost=next((cost for teacher in teachers if (cost := cost_of(teacher.run.metadata, "teacher_"))), None),
        teachers=teachers,
    )


def corrected_by_family(rows: Sequence[TableRow]) -> tuple[TableRow, ...]:
    """Corrects tests and intervals: the rows of one network against one baseline are a family."""
    corrected = list(rows)
    families = dict.fromkeys((row.definition.block, name) for row in rows for name in row.differences)
    for block, name in families:
        family = [row.differences.get(name) if row.definition.block == block else None for row in rows]
        for index, difference in enumerate(correct_family(family)):
            if difference is not None:
                known = {**corrected[index].differences, name: difference}
                corrected[index] = replace(corrected[index], differences=known)
    return tuple(corrected)


def with_gap_closed(rows: Sequence[TableRow], own_teachers: bool = False) -> tuple[TableRow, ...]:
    """Adds what share of the gap, from its first baseline to the teacher, each row closes.

    Nothing where the teacher is not above the baseline: there is no gap to close.

    Args:
        rows: of a table.
        own_teachers: each row has its own; else the teacher's row of its network tells.
    """
    teachers = {row.definition.block: row.top1 for row in rows if row.teachers and row.top1}
    by_key = {row.definition.key: row for row in rows}

    def closed(row: TableRow) -> float | None:
        name = next(iter(row.definition.baselines), None)
        teacher = row.taught_by if own_teachers else teachers.get(row.definition.block)
        if name is None or name not in row.differences or teacher is None:
            return None
        # Of the seeds that the difference is over: the baseline may have been run with more.
        own, baseline = top1_by_seed(row.runs), top1_by_seed(by_key[row.definition.baselines[name]].runs)
        gap = teacher.mean - mean([baseline[seed] for seed in sorted(own.keys() & baseline.keys())])
        return row.differences[name].mean / gap if gap > 0 else None

    return tuple(replace(row, gap_closed=closed(row)) for row in rows)
