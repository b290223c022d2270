"""A stage's cells: the product of its axes less the exclusions, the explicit rows, each under every seed."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from cdkd.config import ConfigError, build_record, merge_dotted
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
    for labels, overrides in _combinations(stage):
        values = merge_dotted({}, {**study.base, **(taken or {}), **stage.base, **overrides})
        row: str | None = None
        for seed in study.seeds:
            config = _build({**values, "seed": seed}, stage, labels)
            row = row or row_identity(config)
            cell = Cell(stage.name, labels, config, row)
            cells.setdefault(cell.id, cell)
    if not cells:
        raise ConfigError(f"{stage.where}: stage '{stage.name}' has no cells: every combination is excluded")
    return tuple(cells.values())


def _combinations(stage: Stage) -> Iterator[tuple[dict[str, str], Overrides]]:
    """(labels, overrides) of every row of the stage. A stage without axes and rows is the base alone."""
    if stage.axes or not stage.rows:
        for combination in product(*(axis.values for axis in stage.axes)):
            labels = {axis.name: label for axis, (label, _) in zip(stage.axes, combination, strict=True)}
            if any(label_filter.selects(labels) for label_filter in stage.excluded):
                continue
            overrides: dict[str, Any] = {}
            for _, values in combination:
                overrides |= values
            yield labels, overrides
    for label, values in stage.rows:
        yield {ROWS_AXIS: label}, values


def _build(values: Mapping[str, Any], stage: Stage, labels: Mapping[str, str]) -> RunConfig:
    try:
        return build_record(RunConfig, values)
    except ConfigError as error:
        place = ", ".join(f"{axis} = {label}" for axis, label in labels.items()) or "the base"
        raise ConfigError(f"{stage.where}: stage '{stage.name}', {place}: {str(error).lstrip(': ')}") from error
