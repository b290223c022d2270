"""A sweep warns of teachers that are too weak, as soon as it is known."""

from collections.abc import Callable, Iterable, Mapping

from cdkd.metric_names import VALIDATION_TOP1
from cdkd.settings import DataSettings, RunConfig
from cdkd.sweep.display.sweep_display import SweepDisplay
from cdkd.sweep.queue.stage_cells import teacher_task
from cdkd.sweep.queue.trial_queue import Trial
from cdkd.sweep.study.cell import Cell
from cdkd.tracking.tracked_run import teacher_label
from cdkd.weak_teacher import UntaughtRow, weakness

_Kind = tuple[DataSettings, str, str]
"""What a distilled student and the same without distillation share: data, architecture, streams."""


class TeacherWarnings:
    """Warns once of each weak teacher, as soon as it and its students' baseline are known.

    Args:
        validation_of: as of `weak_teachers`.
        display: shows the warnings.
    """

    def __init__(self, validation_of: Callable[[RunConfig], float | None], display: SweepDisplay) -> None:
        self._validation_of = validation_of
        self._display = display
        self.told: dict[str, str] = {}
        """Teacher's task -> its warning."""

    def look(self, cells: Iterable[Cell], trials: Mapping[str, Trial]) -> None:
        """Tells what is new; see `weak_teachers`."""
        for task, text in weak_teachers(cells, trials, self._validation_of).items():
            if task not in self.told:
                self.told[task] = text
                self._display.log_event(f"WARNING  {text}")


def weak_teachers(
    cells: Iterable[Cell], trials: Mapping[str, Trial], validation_of: Callable[[RunConfig], float | None]
) -> dict[str, str]:
    """Teacher's task -> a warning, where `cdkd.weak_teacher` finds it too weak for a student of its kind and data.

    Args:
        cells: of the study, those too that have no result yet.
        trials: cell id -> its last trial.
        validation_of: the accuracy of a run's teacher, in percent, as far as it is known.
    """
    cells = list(cells)
    # Asked whenever a cell has ended, of perhaps thousands.
    if all(cell.teacher is None for cell in cells):
        return {}
    untaught = _untaught_rows(cells, trials)
    warnings: dict[str, str] = {}
    # Thousands of cells share a few teachers, which are of few kinds: each is looked at once.
    seen: set[tuple[str, _Kind]] = set()
    for cell in cells:
        task, kind = teacher_task(cell), _kind(cell.config)
        if task is None or task in warnings or (task, kind) in seen:
            continue
        seen.add((task, kind))
        reached = validation_of(cell.config) if kind in untaught else None
        if reached is not None and (found := weakness(reached, untaught[kind])):
            warnings[task] = (
                f"{teacher_label(cell.config)} {found}. Start it from weights that know more (teacher.weights, "
                f"teacher.checkpoint), or train it on more"
            )
    return warnings


def _untaught_rows(cells: Iterable[Cell], trials: Mapping[str, Trial]) -> dict[_Kind, list[UntaughtRow]]:
    """Kind -> its rows without a teacher, in the study's order, over the seeds that have ended."""
    accuracies: dict[tuple[_Kind, str, bool], list[float]] = {}
    for cell in cells:
        trial = trials.get(cell.id)
        if cell.config.uses_teacher or trial is None:
            continue
        if trial.status == "finished" and VALIDATION_TOP1 in trial.metrics:
            row = _kind(cell.config), cell.label, cell.config.student.decoder
            accuracies.setdefault(row, []).append(trial.metrics[VALIDATION_TOP1])
    found: dict[_Kind, list[UntaughtRow]] = {}
    for (kind, label, has_decoder), reached in accuracies.items():
        found.setdefault(kind, []).append(UntaughtRow(label, has_decoder, reached))
    return found


def _kind(config: RunConfig) -> _Kind:
    return config.data, config.student.arch, config.student.streams
