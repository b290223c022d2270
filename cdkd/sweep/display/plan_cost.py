"""How long a plan's cells will train, by what epochs of cells like them took before."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from cdkd.effective_settings import active_losses, effective_settings
from cdkd.settings import flat_settings
from cdkd.sweep.study.cell import Cell
from cdkd.tracking.earlier_runs import EarlierRun

# What decides how long an epoch takes. Weights of losses, rates and seeds do not.
_DECIDES = (
    "student.",
    "data.",
    "teacher.arch",
    "teacher.backbone",
    "train.batch_size",
    "train.unlabelled_per_step",
    "train.precision",
)
_MACHINE = ("runtime.device", "runtime.compile", "runtime.num_threads")
# Which videos they are, not how many an epoch has or how large.
_WHICH = ("data.shapes.seed", "data.shapes.draw", "data.unlabelled_videos")


@dataclass(frozen=True)
class PlanCost:
    """The training time of cells that are still to be trained."""

    hours: float
    """Of the cells that are known, one after the other; training alone, without teachers, validation and test."""
    num_known: int
    num_unknown: int
    """Nothing like these has been trained."""


def plan_cost(cells: Sequence[Cell], runs: Iterable[EarlierRun]) -> PlanCost:
    """Epochs of each cell times the usual seconds per epoch of earlier runs that are alike."""
    seconds: dict[object, list[float]] = {}
    for run in runs:
        if run.has_result and run.epoch_seconds:
            seconds.setdefault(_likeness(run.settings), []).append(run.epoch_seconds)
    if not seconds:
        return PlanCost(0.0, 0, len(cells))
    # Cells of a row differ in the seed, which changes nothing here: one look per row.
    by_row: dict[str, float | None] = {}
    for cell in cells:
        row = cell.row or cell.id
        if row not in by_row:
            found = seconds.get(_likeness(flat_settings(cell.config)))
            by_row[row] = median(found) * cell.config.train.epochs if found else None
    each = [by_row[cell.row or cell.id] for cell in cells]
    known = [duration for duration in each if duration is not None]
    return PlanCost(sum(known) / 3600.0, len(known), len(each) - len(known))


def cost_text(cost: PlanCost, num_workers: int) -> str:
    """The cost in a sentence; what is not known is said to be so."""
    unknown = f"{cost.num_unknown} cells of unknown cost: nothing like them has been trained yet"
    if not cost.num_known:
        return unknown
    known = f"about {_duration(cost.hours)} of training for {cost.num_known} cells, as epochs took before"
    if num_workers > 1:
        known += f"; {_duration(cost.hours / min(num_workers, cost.num_known))} with {num_workers} workers"
    return f"{known}; {unknown}" if cost.num_unknown else known


def _duration(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{max(1, round(hours * 60))} min"


def _likeness(settings: Mapping[str, Any]) -> object:
    """Equal for cells whose epochs should take the same time on the same machine."""
    read = {**effective_settings(settings), **{key: settings.get(key) for key in _MACHINE}}
    decisive = {
        key: str(value) for key, value in read.items() if key.startswith((*_DECIDES, *_MACHINE)) and key not in _WHICH
    }
    return frozenset(active_losses(settings)), tuple(sorted(decisive.items()))
