"""What a stage searches over, and how, read from its place in a study file."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic.fields import FieldInfo

from cdkd.config import Document, build_record
from cdkd.metric_names import VALIDATION, current_name
from cdkd.overrides import check_overrides, find_field
from cdkd.sweep.study.axes import Key, fail_at
from cdkd.sweep.study.file_records import RangeSettings, SearchSettings
from cdkd.sweep.study.records import Range, Search
from cdkd.sweep.study.seeds import file_seeds

_MAX_STARTUP_TRIALS = 10
_MIN_SEEDS_OF_WILCOXON = 5
"""With four seeds the smallest p is 1/16, below the pruner's 0.1; there has to be a seed left that is saved."""


def read_search(document: Document, here: Key, content: SearchSettings, seeds: Sequence[int]) -> Search:
    """A stage's search.

    Args:
        document: the study file.
        here: where the search stands.
        content: what stands there.
        seeds: the study's.

    Raises:
        ConfigError: an unknown setting, a range that its setting does not allow, a metric that may not decide, or
            too few seeds for the pruner.
    """
    if not current_name(content.metric).startswith(VALIDATION):
        text = f"'{content.metric}' may not decide anything: search on the validation part, for example validation/top1"
        raise document.error((*here, "metric"), text)
    numbers = file_seeds(document, (*here, "seeds"), content.seeds) if content.seeds is not None else (seeds[0],)
    if content.pruner == "wilcoxon" and len(numbers) < _MIN_SEEDS_OF_WILCOXON:
        raise document.error(
            (*here, "pruner"),
            f"wilcoxon compares seed by seed, and can tell something from {_MIN_SEEDS_OF_WILCOXON} seeds on: give "
            "'seeds' beside it, or take median",
        )
    startup = content.startup or max(1, min(_MAX_STARTUP_TRIALS, content.trials // 3))
    return Search(
        sampler=content.sampler,
        num_trials=content.trials,
        pruner=content.pruner,
        metric=current_name(content.metric),
        over=tuple(_range(document, (*here, "over", key), key, value) for key, value in content.over.items()),
        seeds=numbers,
        num_startup_trials=startup,
        sampler_seed=content.seed,
    )


def _range(document: Document, here: Key, setting: str, given: Any) -> Range:
    field = find_field(setting)
    if isinstance(field, str):
        raise document.error(here, field)
    if not isinstance(field, FieldInfo):
        raise document.error(here, f"a group of settings ({', '.join(field.model_fields)}); search over one of them")
    if isinstance(given, list):
        return Range(setting, choices=_choices(document, here, setting, given))
    if not isinstance(given, Mapping):
        raise document.error(here, "a range such as {low: 0.01, high: 1, log: true}, or a list of values")
    content = build_record(RangeSettings, given, document, here)
    ends = []
    for name in ("low", "high"):
        # As the setting itself would be given, so that a count gets whole numbers and its limits hold.
        end = check_overrides({setting: given[name]}, fail_at(document, (*here, name), is_exact=True))[setting]
        if isinstance(end, bool) or not isinstance(end, int | float):
            raise document.error(here, f"{setting} is no number: give a list of values")
        ends.append(end)
    low, high = ends
    if not low < high:
        raise document.error((*here, "high"), f"has to be more than low, {low!r}")
    if content.log and (low <= 0 or content.step is not None):
        raise document.error((*here, "log"), "orders of magnitude need a low above 0, and have no step")
    step = content.step
    if isinstance(low, int) and step is not None:
        if step != int(step):
            raise document.error((*here, "step"), f"{setting} takes whole numbers only")
        step = int(step)
    return Range(setting, low, high, content.log, step)


def _choices(document: Document, here: Key, setting: str, given: Sequence[Any]) -> tuple[Any, ...]:
    choices = []
    for index, item in enumerate(given):
        place = (*here, str(index))
        value = check_overrides({setting: item}, fail_at(document, place, is_exact=True))[setting]
        if value is not None and not isinstance(value, bool | int | float | str):
            raise document.error(place, "only numbers, texts and switches can be searched over")
        choices.append(value)
    if len(choices) < 2 or len(set(choices)) < len(choices):
        raise document.error(here, "at least two different values")
    return tuple(choices)
