"""A stage's cells: the product of its axes less the exclusions, the explicit rows, each under every seed."""

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from cdkd.config import ConfigError, flatten
from cdkd.data.opening import lacks_validation
from cdkd.experiment.identity import row_identity
from cdkd.settings import RunConfig
from cdkd.sweep.study.axes import label_of
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.study.records import ROWS_AXIS, SUGGESTION_AXIS, Overrides, Stage, Study


def expand(study: Study, stage: Stage, taken: Overrides | None = None) -> tuple[Cell, ...]:
    """The stage's cells: settings row by row, and under each the seeds; of cells with equal identity only the first.

    Later overrides win over earlier ones: the study's base, what the stage takes over, its own base, then axis by axis.
    All of them win over what lies under the study: its recipe and its teachers' files.

    Args:
        study: the study.
        stage: one of its stages.
        taken: the settings that the stage takes over from an earlier one (dotted).

    Raises:
        ConfigError: a combination that no run can have, or a stage without cells.
    """
    cells: dict[str, Cell] = {}
    for labels, values in combinations(study, stage, taken):
        if study.lacks_file_of(values):
            continue
        for cell in _row(study, stage, labels, values, study.seeds):
            cells.setdefault(cell.id, cell)
    if not cells:
        raise ConfigError(
            f"{stage.where}: stage '{stage.name}' has no cells: every combination is excluded, or its condition "
            "does not hold"
        )
    return tuple(cells.values())


def teachers_without_file(study: Study) -> list[str]:
    """Teachers whose cells the study leaves out, since nobody gave their file."""
    found = [
        str(values["teacher.arch"])
        for stage in study.stages
        for _, values in combinations(study, stage)
        if study.lacks_file_of(values)
    ]
    return list(dict.fromkeys(found))


def data_sets_without_recipe(study: Study) -> list[str]:
    """Data sets of cells that do not stand on the study's own recipe, since it is made for another."""
    found = [
        str(values["data.name"])
        for stage in study.stages
        for _, values in combinations(study, stage)
        if study.underlay.for_run(values) is not study.underlay
    ]
    return list(dict.fromkeys(found))


def suggested_row(study: Study, stage: Stage, taken: Overrides | None, number: int, values: Overrides) -> list[Cell]:
    """The cells of one suggestion of a stage that searches, one per seed of the search.

    Args:
        study: the study.
        stage: one of its stages.
        taken: the settings that the stage takes over from an earlier one (dotted).
        number: of the suggestion, from 0.
        values: what it suggests (dotted).

    Raises:
        ConfigError: a combination that no run can have, or a pruner that would never get to see anything.
    """
    assert stage.search is not None, "only a search has suggestions"
    # The number first: two suggestions may read alike, and are told apart all the same.
    labels = {SUGGESTION_AXIS: str(number), **{key: label_of(value) for key, value in values.items()}}
    cells = _row(study, stage, labels, {**_common(study, stage, taken), **values}, stage.search.seeds)
    if lacks_validation(cells[0].config.data):
        raise ConfigError(
            f"{stage.where}: stage '{stage.name}' searches by {stage.search.metric}, and data.validation_share is 0: "
            "hold out a share for it"
        )
    if stage.search.pruner in ("median", "hyperband") and not cells[0].config.evaluation.every_epochs:
        raise ConfigError(
            f"{stage.where}: stage '{stage.name}': {stage.search.pruner} decides by validations on the way; "
            "set evaluation.every_epochs"
        )
    return cells


def _common(study: Study, stage: Stage, taken: Overrides | None) -> Overrides:
    """The settings of all cells of a stage."""
    return {**study.base, **(taken or {}), **stage.base}


def _row(study: Study, stage: Stage, labels: Mapping[str, str], values: Overrides, seeds: Sequence[int]) -> list[Cell]:
    first = _build(study, {**values, "seed": seeds[0]}, stage, labels)
    if first.data.shapes.draw == "by_seed":
        # Each seed has a data set of its own, and with it an identity of its row.
        configs = [first, *(_build(study, {**values, "seed": seed}, stage, labels) for seed in seeds[1:])]
        rows = [row_identity(config) for config in configs]
    else:
        # Built once: the others share its records, which takes half the memory of a study of many seeds.
        configs = [first, *(first.model_copy(update={"seed": seed}) for seed in seeds[1:])]
        rows = [row_identity(first)] * len(configs)
    recipe = study.underlay.for_run(values).name
    return [Cell(stage.name, labels, config, row, recipe) for config, row in zip(configs, rows, strict=True)]


def combinations(
    study: Study, stage: Stage, taken: Overrides | None = None
) -> Iterator[tuple[dict[str, str], Overrides]]:
    """(labels, settings) of every row of the stage. A stage without axes and rows is the base alone.

    The arguments are those of `expand`.
    """
    common = _common(study, stage, taken)
    found: list[tuple[dict[str, str], Overrides]] = []
    if stage.dimensions or not stage.rows:
        found += [
            (labels, overrides)
            for labels, overrides in _product(study, stage, common)
            if not any(excluded.selects(labels) for excluded in stage.excluded)
        ]
    for label, overrides in stage.rows:
        if _applies(study, stage, label, {}, {**common, **overrides}):
            found.append(({ROWS_AXIS: label}, overrides))
    for labels, overrides in found:
        if stage.only.selects(labels):
            yield labels, {**common, **overrides}


def _product(study: Study, stage: Stage, common: Overrides) -> list[tuple[dict[str, str], Overrides]]:
    """Dimension by dimension; the last one runs fastest."""
    combinations: list[tuple[dict[str, str], Overrides]] = [({}, {})]
    for dimension in stage.dimensions:
        # What its axes have at each position, together: one axis alone, or several whose values are coupled.
        positions = [
            (
                {axis.name: label for axis, (label, _) in zip(dimension, position, strict=True)},
                {key: value for _, values in position for key, value in values.items()},
            )
            for position in zip(*(axis.values for axis in dimension), strict=True)
        ]
        longer: list[tuple[dict[str, str], Overrides]] = []
        for labels, overrides in combinations:
            if _applies(study, stage, dimension[0].name, labels, {**common, **overrides}):
                longer += [(labels | more, {**overrides, **values}) for more, values in positions]
            else:
                # The combination stands once, without a label on this axis.
                longer.append((labels, overrides))
        combinations = longer
    return combinations


def _applies(study: Study, stage: Stage, name: str, labels: Mapping[str, str], settings: Overrides) -> bool:
    """Whether an axis or a row stands in a combination with these labels and settings of its own."""
    condition = stage.conditions.get(name)
    if condition is None:
        return True
    return condition.holds(labels, ChainMap(study.underlay.values(settings), _defaults()))


@cache
def _defaults() -> dict[str, Any]:
    return flatten(RunConfig().model_dump())


def _build(study: Study, values: Overrides, stage: Stage, labels: Mapping[str, str]) -> RunConfig:
    try:
        return study.underlay.build(values)
    except ConfigError as error:
        place = ", ".join(f"{axis} = {label}" for axis, label in labels.items()) or "the base"
        raise ConfigError(f"{stage.where}: stage '{stage.name}', {place}: {str(error).lstrip(': ')}") from error
