"""Suggestions of a stage that searches: asked of an Optuna sampler one by one, and each kept for good.

    results so far  ->  a study in memory  ->  ask  ->  kept  ->  cells  ->  the queue, like all others

They are kept, in the study's database or in a file, before any cell is enqueued. Killed in between, a sweep finds the
suggestion there and enqueues its cells; none is lost and none is made twice, however many sweeps share the search. What
runs is known to the sampler as running, so that it does not suggest the same place to several workers (the constant
liar, for tpe and gp).
"""

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cdkd.atomic_write import atomic_write
from cdkd.metric_names import PRUNED_EPOCH, former_name
from cdkd.sweep.queue.queue_storage import open_storage
from cdkd.sweep.queue.study_folder import StudyFolder, read_json
from cdkd.sweep.queue.trial_queue import Trial
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.study.records import Overrides, Range, Search

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

_NUM_DIGITS = 4
"""Suggested numbers are rounded to so many: nobody can tell them apart, everybody can read them."""


@dataclass(frozen=True)
class Suggestion:
    """A point of a search's space that was suggested, with what has become of it."""

    values: Overrides
    """Dotted setting -> value."""
    state: Literal["RUNNING", "COMPLETE", "PRUNED", "FAIL"] = "RUNNING"
    """In Optuna's words."""
    value: float | None = None
    """Mean of the metric over the seeds; of what was pruned, where it was then."""
    by_step: Mapping[int, float] = field(default_factory=dict)
    """Intermediate values."""


def distributions(search: Search) -> "dict[str, BaseDistribution]":
    """The space, in Optuna's terms."""
    return {one.setting: _distribution(one) for one in search.over}


def _distribution(one: Range) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if one.choices:
        return CategoricalDistribution(one.choices)
    if isinstance(one.low, int):
        return IntDistribution(one.low, int(one.high), log=one.is_log, step=int(one.step or 1))
    return FloatDistribution(one.low, one.high, log=one.is_log, step=one.step)


def space_digest(search: Search, corners: Sequence[Cell]) -> str:
    """Tells searches apart whose suggestions may not be mixed: another space, sampler or protocol is another search.

    More trials, more seeds or another pruner go on with the suggestions that there are.

    Args:
        search: the search.
        corners: cells at the ends of its space; they hold what all of its cells share.
    """
    ranges = [[one.setting, one.low, one.high, one.is_log, one.step, list(one.choices)] for one in search.over]
    question = [ranges, search.sampler, search.sampler_seed, former_name(search.metric), [cell.row for cell in corners]]
    return hashlib.sha256(json.dumps(question).encode()).hexdigest()[:12]


def read_suggestions(folder: StudyFolder, stage: str, digest: str) -> list[Overrides]:
    """What was suggested so far, in its order.

    Raises:
        CdkdError: the file is damaged, or the storage cannot be reached.
    """
    if folder.storage is not None:
        # Folders that share a database share its searches; elsewhere the file is all there is.
        return list(open_storage(folder).kept(stage, _name(digest)) or ())
    file = folder.suggestions(stage, digest)
    return list(read_json(file)["suggestions"]) if file.exists() else []


def add_suggestion(folder: StudyFolder, stage: str, digest: str, search: Search, known: Sequence[Suggestion]) -> None:
    """Asks the sampler for one more, unless another process was first; either way there are more than before.

    Args:
        folder: the study's.
        stage: the stage that searches.
        digest: `space_digest`.
        search: how.
        known: every suggestion that was made, as this process knows them.
    """
    storage = open_storage(folder)
    # Asked before anybody has to wait: a sampler may take seconds.
    found = suggest(search, known)

    def add() -> None:
        kept = read_suggestions(folder, stage, digest)
        if len(kept) == len(known):
            kept.append(found)
            storage.keep(stage, _name(digest), kept)
            atomic_write(folder.suggestions(stage, digest), json.dumps({"suggestions": kept}, indent=1) + "\n")

    storage.exclusive(add)


def _name(digest: str) -> str:
    return f"suggestions-{digest}"


def suggest(search: Search, known: Sequence[Suggestion]) -> dict[str, Any]:
    """The next point: the same for the same search and the same results."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = distributions(search)
    with warnings.catch_warnings():
        # That Optuna may change it is no news to whoever wrote the study.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = _sampler(search, len(known))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    if search.sampler == "qmc":
        # A sequence that depends on nothing but its number, which the sampler counts itself.
        for _ in known:
            study.tell(study.ask(space), 0.0)
    else:
        study.add_trials([_frozen(one, space) for one in known])
    found = study.ask(space).params
    return {one.setting: _rounded(found[one.setting], one) for one in search.over}


def _sampler(search: Search, number: int) -> "BaseSampler":
    from optuna.samplers import GPSampler, QMCSampler, RandomSampler, TPESampler

    # Another one for every suggestion: each is asked of a sampler that was made anew, perhaps in another process.
    text = f"{search.sampler_seed} {number}"
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    startup = search.num_startup_trials
    match search.sampler:
        case "random":
            return RandomSampler(seed=seed)
        case "qmc":
            return QMCSampler(scramble=True, seed=search.sampler_seed, warn_independent_sampling=False)
        case "gp":
            return GPSampler(seed=seed, n_startup_trials=startup)
        case "tpe":
            return TPESampler(seed=seed, n_startup_trials=startup, constant_liar=True)


def _frozen(one: Suggestion, space: "dict[str, BaseDistribution]") -> "FrozenTrial":
    from optuna.trial import TrialState, create_trial

    return create_trial(
        state=TrialState[one.state],
        value=one.value if one.state == "COMPLETE" else None,
        params=dict(one.values),
        distributions=space,
        intermediate_values=dict(one.by_step),
    )


def _rounded(value: Any, one: Range) -> Any:
    if one.choices or one.step is not None or not isinstance(value, float):
        return value
    return min(max(float(f"{value:.{_NUM_DIGITS}g}"), one.low), one.high)


def outcome_of(cells: Sequence[Cell], trials: Mapping[str, Trial], metric: str, values: Overrides) -> Suggestion:
    """What has become of a suggestion.

    Args:
        cells: its cells, one per seed.
        trials: cell id -> its last trial.
        metric: what is searched for.
        values: what was suggested.
    """
    found = [trials.get(cell.id) for cell in cells]
    if any(trial is not None and trial.status == "failed" for trial in found):
        return Suggestion(values, "FAIL")
    # What diverged is the worst that there is: Optuna ranks what was pruned without any value behind all others.
    if any(trial is not None and trial.status == "diverged" for trial in found):
        return Suggestion(values, "PRUNED")
    ended = [trial for trial in found if trial is not None and trial.is_over]
    numbers = [trial.metrics[metric] for trial in ended if metric in trial.metrics]
    mean = sum(numbers) / len(numbers) if numbers else None
    pruned = [trial for trial in ended if trial.status == "pruned"]
    if pruned:
        step = int(max(trial.metrics.get(PRUNED_EPOCH, 0.0) for trial in pruned))
        return Suggestion(values, "PRUNED", mean, {} if mean is None else {step: mean})
    if len(ended) < len(cells):
        return Suggestion(values)
    return Suggestion(values, "FAIL") if mean is None else Suggestion(values, "COMPLETE", mean)
