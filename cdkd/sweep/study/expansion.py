"""A stage's cells: the product of its axes less the exclusions, the explicit rows, each under every seed."""

from collections import ChainMap
from collections.abc import Mapping
from functools import cache
from typing import Any

from cdkd.config import ConfigError, build_record, flatten, merge_dotted
from cdkd.experiment.identity import row_identity
from cdkd.settings import RunConfig
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.study.records import ROWS_AXIS, Overrides, Stage, Study


def expand(study: Study, stage: Stage, taken: Overrides | None = None) -> tuple[Cell, ...]:
    """The stage's cells: settings row by row, and under each the seeds; of cells with equal identity only the first.

    Later overrides win over earlier ones: the study's base, what the stage takes over, its own base, then axis by axis.

    Args:
        study: the study.
        stage: one of its stages.
        taken: the settings that the stage takes over from an earlier one (dotted).

    Raises:
        ConfigError: a combination that no run can have, or a stage without cells.
    """
    cells: dict[str, Cell] = {}
    common = {**study.base, **(taken or {}), **stage.base}
    for labels, overrides in _combinations(stage, common):
        values = merge_dotted({}, {**common, **overrides})
        row: str | None = None
        for seed in study.seeds:
            config = _build({**values, "seed": seed}, stage, labels)
            row = row or row_identity(config)
            cell = Cell(stage.name, labels, config, row)
            cells.setdefault(cell.id, cell)
    if not cells:
        raise ConfigError(
            f"{stage.where}: stage '{stage.name}' has no cells: every combination is excluded, or its condition "
            "does not hold"
        )
    return tuple(cells.values())


def _combinations(stage: Stage, common: Overrides) -> list[tuple[dict[str, str], Overrides]]:
    """(labels, overrides) of every row of the stage. A stage without axes and rows is the base alone."""
    found: list[tuple[dict[str, str], Overrides]] = []
    if stage.dimensions or not stage.rows:
        found += [
            (labels, overrides)
            for labels, overrides in _product(stage, common)
            if not any(excluded.selects(labels) for excluded in stage.excluded)
        ]
    for label, values in stage.rows:
        if _applies(stage, label, {}, ChainMap({**values}, {**common})):
            found.append(({ROWS_AXIS: label}, values))
    return [(labels, overrides) for labels, overrides in found if stage.only.selects(labels)]


def _product(stage: Stage, common: Overrides) -> list[tuple[dict[str, str], Overrides]]:
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
        is_conditional = dimension[0].name in stage.conditions
        longer: list[tuple[dict[str, str], Overrides]] = []
        for labels, overrides in combinations:
            settings = ChainMap({**overrides}, {**common}) if is_conditional else ChainMap()
            if _applies(stage, dimension[0].name, labels, settings):
                longer += [(labels | more, {**overrides, **values}) for more, values in positions]
            else:
                # The combination stands once, without a label on this axis.
                longer.append((labels, overrides))
        combinations = longer
    return combinations


def _applies(stage: Stage, name: str, labels: Mapping[str, str], settings: "ChainMap[str, Any]") -> bool:
    condition = stage.conditions.get(name)
    return condition is None or condition.holds(labels, ChainMap(*settings.maps, _defaults()))


@cache
def _defaults() -> dict[str, Any]:
    return flatten(RunConfig().model_dump())


def _build(values: Mapping[str, Any], stage: Stage, labels: Mapping[str, str]) -> RunConfig:
    try:
        return build_record(RunConfig, values)
    except ConfigError as error:
        place = ", ".join(f"{axis} = {label}" for axis, label in labels.items()) or "the base"
        raise ConfigError(f"{stage.where}: stage '{stage.name}', {place}: {str(error).lstrip(': ')}") from error
