"""Whether a search ends a cell early: Optuna's pruners, asked about curves that the queue keeps.

Every validation of a cell is reported to its trial, where Optuna's own tools find it. A pruner is asked about a study
in memory that holds the curves of all of the stage's cells, so that it decides alike whatever keeps the queue.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdkd.sweep.study.records import Search

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.study import Study

Curve = Mapping[int, float]
"""Step -> value: of a cell, epoch -> accuracy; of a suggestion, seed -> accuracy."""


@dataclass(frozen=True)
class PastCurve:
    """How another cell of the stage went."""

    curve: Curve
    is_finished: bool


def search_record(search: Search) -> dict[str, Any]:
    """What a worker has to know of the search that a cell belongs to."""
    return {"pruner": search.pruner, "metric": search.metric}


def is_behind(pruner: str, curve: Curve, others: Sequence[PastCurve], first: int, last: int) -> bool:
    """The pruner would end this one now.

    Args:
        pruner: median, hyperband or wilcoxon; none ends nothing.
        curve: what was reported of the one in question.
        others: those that were started before it.
        first: the first step at which values are reported.
        last: the last one.
    """
    if pruner == "none" or not curve:
        return False
    # Steps are seeds there, which count alike; of a curve over epochs the last value counts.
    value_of = _mean if pruner == "wilcoxon" else _last
    study = _study_of(_pruner(pruner, first, last), value_of, [*others, PastCurve(curve, is_finished=False)])
    return bool(study.pruner.prune(study, study.trials[-1]))


def _pruner(name: str, first: int, last: int) -> "BasePruner":
    from optuna.exceptions import ExperimentalWarning
    from optuna.pruners import HyperbandPruner, MedianPruner, WilcoxonPruner

    match name:
        case "median":
            return MedianPruner()
        case "hyperband":
            return HyperbandPruner(min_resource=first, max_resource=max(first, last))
        case _:
            with warnings.catch_warnings():
                # That Optuna may change it is no news to whoever wrote the study.
                warnings.simplefilter("ignore", ExperimentalWarning)
                return WilcoxonPruner()


def _mean(curve: Curve) -> float:
    return sum(curve.values()) / len(curve)


def _last(curve: Curve) -> float:
    return curve[max(curve)]


def _study_of(pruner: "BasePruner", value_of: Callable[[Curve], float], curves: Sequence[PastCurve]) -> "Study":
    """A study in memory with these trials, the last one running.

    Hyperband keeps with a trial which rungs it has passed: all are walked up again, report by report.
    """
    import optuna
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Named, since hyperband draws a trial's bracket from the name.
    study = optuna.create_study(direction="maximize", pruner=pruner, study_name="search")
    storage = study._storage
    for index, past in enumerate(curves):
        number = study.ask()._trial_id
        for step, value in past.curve.items():
            storage.set_trial_intermediate_value(number, step, value)
            if index + 1 < len(curves):
                pruner.prune(study, storage.get_trial(number))
        if index + 1 < len(curves):
            value = value_of(past.curve) if past.curve else 0.0
            state = TrialState.COMPLETE if past.is_finished else TrialState.PRUNED
            # What still runs counts for rungs alone, which look at every trial.
            storage.set_trial_state_values(number, state, [value])
    return study
