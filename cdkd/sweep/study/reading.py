"""A study file becomes a frozen `Study`; every mistake in it is an error with file, line, key and remedy.

A study file, by example (all but `study` and `stages` may be left out):

    study: lambda                        # names the folder .cdkd/lambda and the MLflow experiment
    description: One sentence.
    tables: [5]                          # tables that the finished sweep prints, as for cdkd report --table
    base: {data: {name: shapes}}         # settings that differ from the defaults; nested or dotted keys
    seeds: 3                             # 0, 1, 2; or a list: [7, 11]
    stages:
      - name: first
        axes:                            # their product, the last axis running fastest
          network:                       # labelled axis: label -> settings that change together
            TSM: {student.arch: tsm, teacher.arch: tsm}
            TDN: {student.arch: tdn, teacher.arch: tdn}
          distill.spatial.weight: [0.01, 0.1, 1]      # plain axis: one setting, its values
        exclude:                         # combinations that the product leaves out
          - {network: TDN, distill.spatial.weight: 1}
        rows:                            # cells beside the product: label -> settings
          baseline: {student.decoder: false, student.head: streams}
      - name: second
        best:                            # starts from what an earlier stage found best ...
          stage: first
          metric: validation_top1        # ... by this metric's mean over the seeds; never a test metric
          mode: max
          among: {network: TSM}          # ... among these of its cells
          take: [distill.spatial.weight] # ... and takes over these settings
        base: {student.gate: uniform}    # what this stage's cells have in common
        axes: {distill.temporal.weight: [0.1, 1, 5]}

Overrides win from left to right: study's base, what is taken over, stage's base, axis by axis.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from cdkd.config import ConfigError, Document, Record, build_record, load_document, parse_override
from cdkd.suggestion import hint
from cdkd.sweep.study.overrides import Fail, check_overrides, find_field
from cdkd.sweep.study.records import ROWS_AXIS, Axis, Best, LabelFilter, Overrides, Stage, Study

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

Name = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]
Items = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)


class BestSettings(Record):
    """How a stage takes over what an earlier stage found best."""

    stage: str
    metric: str = "validation_top1"
    mode: Literal["max", "min"] = "max"
    among: dict[str, Any] = Field(default_factory=dict)
    """Axis -> label or labels: only these cells are candidates."""
    take: Annotated[tuple[str, ...], Items, Field(min_length=1)]
    """Dotted settings, or groups of them, that the later stage takes over."""


class StageSettings(Record):
    """One stage as it stands in the file."""

    name: str
    best: BestSettings | None = None
    base: dict[Any, Any] = Field(default_factory=dict)
    """What this stage's cells have in common; wins over the study's base and over what is taken."""
    axes: dict[Any, Any] = Field(default_factory=dict)
    rows: dict[Any, Any] = Field(default_factory=dict)
    exclude: Annotated[tuple[dict[str, Any], ...], Items] = ()


class StudySettings(Record):
    """The file's top level."""

    study: str
    description: str = ""
    tables: Annotated[tuple[Name, ...], Items] = ()
    """Names of tables; YAML reads the paper's as numbers."""
    base: dict[Any, Any] = Field(default_factory=dict)
    seeds: Any = 1
    """A count, or different numbers."""
    stages: Annotated[tuple[dict[Any, Any], ...], Items, Field(min_length=1)]


def load_study(path: Path, settings: Sequence[str] = (), seeds: str | None = None) -> Study:
    """Reads and checks a study file.

    Args:
        path: the file.
        settings: `dotted.key=value` texts that change the study's base.
        seeds: replaces the study's seeds: a count, or numbers between commas.

    Raises:
        ConfigError: names file, line, key and remedy.
    """
    document = load_document(path)
    content = build_record(StudySettings, document.values, document)
    if not _NAME.fullmatch(content.study):
        raise document.error(("study",), f"letters, digits, '.', '_' and '-' only, not {content.study!r}")
    base = check_overrides(content.base, _fail_at(document, ("base",)))
    stages: list[Stage] = []
    for index, values in enumerate(content.stages):
        stages.append(_stage(document, index, values, stages))
    study = Study(
        name=content.study,
        description=content.description,
        tables=content.tables,
        base=base,
        seeds=_parse_seeds(seeds) if seeds is not None else _file_seeds(document, content.seeds),
        stages=tuple(stages),
    )
    return _with_settings(study, settings)


def _fail_at(document: Document, prefix: tuple[str, ...], is_exact: bool = False) -> Fail:
    def fail(path: tuple[str, ...], text: str) -> ConfigError:
        return document.error(prefix if is_exact else (*prefix, *path), text)

    return fail


def _stage(document: Document, index: int, values: Mapping[Any, Any], earlier: Sequence[Stage]) -> Stage:
    here = ("stages", str(index))
    best_values = values.get("best")
    if isinstance(best_values, Mapping):
        build_record(BestSettings, best_values, document, (*here, "best"))
    content = build_record(StageSettings, values, document, here)
    if not _NAME.fullmatch(content.name):
        raise document.error((*here, "name"), f"letters, digits, '.', '_' and '-' only, not {content.name!r}")
    if content.name in {stage.name for stage in earlier} | {"teachers"}:
        raise document.error((*here, "name"), f"'{content.name}' is taken; stages need names of their own")
    axes = tuple(_axis(document, (*here, "axes"), key, value) for key, value in content.axes.items())
    rows = _labelled(document, (*here, "rows"), content.rows)
    labels = {axis.name: [label for label, _ in axis.values] for axis in axes}
    excluded = tuple(
        _label_filter(document, (*here, "exclude", str(number)), entry, labels)
        for number, entry in enumerate(content.exclude)
    )
    best = None if content.best is None else _best(document, (*here, "best"), content.best, earlier)
    base = check_overrides(content.base, _fail_at(document, (*here, "base")))
    return Stage(content.name, base, axes, rows, excluded, best, document.where((*here, "name")))


def _axis(document: Document, prefix: tuple[str, ...], key: Any, value: Any) -> Axis:
    here = (*prefix, str(key))
    if isinstance(value, Mapping):
        values = _labelled(document, here, value)
        if not values:
            raise document.error(here, "an axis needs at least one label")
        return Axis(_label(document, here, key), values)
    if not isinstance(value, list) or not value:
        raise document.error(here, "an axis is a list of values, or a mapping of labels to settings")
    pairs: dict[str, Overrides] = {}
    for index, item in enumerate(value):
        place = (*here, str(index))
        checked = check_overrides({key: item}, _fail_at(document, place, is_exact=True))
        # The label comes from the checked value, so that 1 and 1.0 are one label.
        label = _text(next(iter(checked.values())))
        if label in pairs:
            raise document.error(place, f"the value {label} is given twice")
        pairs[label] = checked
    return Axis(str(key), tuple(pairs.items()))


def _labelled(
    document: Document, prefix: tuple[str, ...], values: Mapping[Any, Any]
) -> tuple[tuple[str, Overrides], ...]:
    """Label -> overrides; a label of nothing (`baseline:`) changes nothing."""
    pairs = []
    for key, value in values.items():
        here = (*prefix, str(key))
        if value is not None and not isinstance(value, Mapping):
            raise document.error(here, f"a mapping of settings, such as {{distill.spatial.weight: 0.1}}, not {value!r}")
        label = _label(document, here, key)
        pairs.append((label, check_overrides(value or {}, _fail_at(document, here))))
    return tuple(pairs)


def _label(document: Document, here: tuple[str, ...], key: Any) -> str:
    if isinstance(key, bool) or not isinstance(key, str | int | float):
        raise document.error(here, f"YAML reads this label as {key!r}; put it in quotes")
    return _text(key)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _label_filter(
    document: Document, here: tuple[str, ...], entry: Mapping[str, Any], known: Mapping[str, Sequence[str]]
) -> LabelFilter:
    if not entry:
        raise document.error(here, "names no axis, and so would select every cell")
    chosen = []
    for axis, given in entry.items():
        if axis not in known:
            raise document.error((*here, axis), f"no such axis; {hint(axis, known, 'axes')}")
        wanted = [_text(item) for item in (given if isinstance(given, list) else [given])]
        for label in wanted:
            if label not in known[axis]:
                raise document.error((*here, axis), f"no label '{label}'; {hint(label, known[axis], 'labels')}")
        chosen.append((axis, frozenset(wanted)))
    return LabelFilter(tuple(chosen))


def _best(document: Document, here: tuple[str, ...], content: BestSettings, earlier: Sequence[Stage]) -> Best:
    source = next((stage for stage in earlier if stage.name == content.stage), None)
    if source is None:
        names = [stage.name for stage in earlier]
        text = f"no earlier stage '{content.stage}'; {hint(content.stage, names, 'stages')}"
        raise document.error((*here, "stage"), text)
    if not content.metric.startswith("validation_"):
        raise document.error(
            (*here, "metric"),
            f"'{content.metric}' may not decide anything: choose on the validation part, for example validation_top1",
        )
    for number, dotted in enumerate(content.take):
        problem = find_field(dotted)
        if isinstance(problem, str) or dotted == "seed":
            raise document.error((*here, "take", str(number)), problem if isinstance(problem, str) else "not a choice")
    known = {axis.name: [label for label, _ in axis.values] for axis in source.axes}
    if source.rows:
        known.setdefault(ROWS_AXIS, []).extend(label for label, _ in source.rows)
    among = LabelFilter(())
    if content.among:
        among = _label_filter(document, (*here, "among"), content.among, known)
    return Best(content.stage, content.metric, content.mode, among, content.take)


def _file_seeds(document: Document, given: Any) -> tuple[int, ...]:
    seeds = list(range(given)) if type(given) is int else given
    is_good = isinstance(seeds, list) and bool(seeds) and all(type(seed) is int and seed >= 0 for seed in seeds)
    if not is_good or len(set(seeds)) != len(seeds):
        raise document.error(("seeds",), f"a count of at least 1, or a list of different numbers, not {given!r}")
    return tuple(seeds)


def _parse_seeds(text: str) -> tuple[int, ...]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    seeds = tuple(range(numbers[0])) if "," not in text and numbers else tuple(numbers)
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise ConfigError(f"--seeds {text}: a count of at least 1, or different numbers between commas, such as 0,2,5")
    return seeds


def _with_settings(study: Study, settings: Sequence[str]) -> Study:
    overrides: dict[str, Any] = {}
    for text in settings:
        key, value = parse_override(text)

        def fail(path: tuple[str, ...], message: str, text: str = text) -> ConfigError:
            return ConfigError(f"--set {text}: {message}")

        checked = check_overrides({key: value}, fail)
        for dotted in checked:
            for stage in study.stages:
                _refuse_clash(stage, dotted, text)
        overrides |= checked
    return Study(**{**vars(study), "base": {**study.base, **overrides}})


def _refuse_clash(stage: Stage, dotted: str, text: str) -> None:
    """A setting that the study itself varies cannot be overridden for all cells at once."""
    places = [(f"axis '{axis.name}'", values) for axis in stage.axes for _, values in axis.values]
    places += [(f"row '{label}'", values) for label, values in stage.rows]
    places.append(("base", stage.base))
    if stage.best is not None:
        places.append(("choice", dict.fromkeys(stage.best.take)))
    for name, values in places:
        if dotted in values or any(dotted.startswith(f"{group}.") for group in values):
            raise ConfigError(f"--set {text}: the {name} of stage '{stage.name}' sets {dotted} ({stage.where})")
