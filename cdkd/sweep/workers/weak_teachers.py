"""Teachers that are no better than the student that learns from nobody: what learns from them shows noise."""

from collections.abc import Callable, Iterable, Mapping
from statistics import fmean

from cdkd.metric_names import VALIDATION_TOP1
from cdkd.settings import DataSettings, RunConfig
from cdkd.sweep.display.sweep_display import SweepDisplay
from cdkd.sweep.queue.stage_cells import teacher_task
from cdkd.sweep.queue.trial_queue import Trial
from cdkd.sweep.study.cell import Cell
from cdkd.tracking.tracked_run import teacher_label

_Kind = tuple[DataSettings, str, str]
"""What a student and its baseline share: data, architecture, streams."""


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
    """Teacher's task -> a warning, where its students' baseline does as well on validation videos.

    The baseline is the plain student, three streams without decoder; where the study has none, whatever other row
    learns from no teacher. Both are of the distilled student's kind and data, and means over the seeds that have ended.

    Args:
        cells: of the study, those too that have no result yet.
        trials: cell id -> its last trial.
        validation_of: the accuracy of a run's teacher, in percent, as far as it is known.
    """
    cells = list(cells)
    # Asked whenever a cell has ended, of perhaps thousands.
    if all(cell.teacher is None for cell in cells):
        return {}
    baselines = _baselines(cells, trials)
    warnings: dict[str, str] = {}
    # Thousands of cells share a few teachers, which are of few kinds: each is looked at once.
    seen: set[tuple[str, _Kind]] = set()
    for cell in cells:
        task, kind = teacher_task(cell), _kind(cell.config)
        if task is None or task in warnings or (task, kind) in seen:
            continue
        seen.add((task, kind))
        baseline = baselines.get(kind)
        reached = validation_of(cell.config) if baseline is not None else None
        if baseline is not None and reached is not None and reached <= baseline[1]:
            warnings[task] = (
                f"{teacher_label(cell.config)} is no better than its student without distillation: {reached:.1f} % of "
                f"the validation videos against {baseline[1]:.1f} % ({baseline[0]}). What learns from it shows noise. "
                f"Start it from weights that know more (teacher.weights, teacher.checkpoint), or train it on more"
            )
    return warnings


def _baselines(cells: Iterable[Cell], trials: Mapping[str, Trial]) -> dict[_Kind, tuple[str, float]]:
    """Kind -> label and mean accuracy of the row that distilled ones are compared with, where one has ended."""
    reached: dict[_Kind, dict[str, list[float]]] = {}
    has_decoder: dict[tuple[_Kind, str], bool] = {}
    for cell in cells:
        trial = trials.get(cell.id)
        if cell.config.uses_teacher or trial is None:
            continue
        if trial.status == "finished" and VALIDATION_TOP1 in trial.metrics:
            kind = _kind(cell.config)
            reached.setdefault(kind, {}).setdefault(cell.label, []).append(trial.metrics[VALIDATION_TOP1])
            has_decoder[kind, cell.label] = cell.config.student.decoder
    found = {}
    for kind, by_label in reached.items():
        # Of equals `min` takes the study's first.
        label = min(by_label, key=lambda label: has_decoder[kind, label])
        found[kind] = label, fmean(by_label[label])
    return found


def _kind(config: RunConfig) -> _Kind:
    return config.data, config.student.arch, config.student.streams
