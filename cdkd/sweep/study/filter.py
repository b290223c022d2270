"""Part of a study: only the cells with certain labels, and everything that they need."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cdkd.config import ConfigError
from cdkd.suggestion import hint
from cdkd.sweep.study.records import ROWS_AXIS, Axis, LabelFilter, Stage, Study


def narrow(study: Study, only: Sequence[str]) -> Study:
    """Keeps the named labels of the named axes; stages without such an axis stay as they are.

    Args:
        study: the whole study.
        only: texts `axis=label`, several of one axis add up. Explicit rows are the axis `row`.

    Raises:
        ConfigError: no stage has such an axis or label, or a stage keeps no cell.
    """
    wanted: dict[str, list[str]] = {}
    for text in only:
        axis, sign, label = text.partition("=")
        if not sign:
            raise ConfigError(f"--only {text}: expected axis=label, for example row=both")
        known = [found for stage in study.stages for found in stage.labels.get(axis, ())]
        if not known:
            axes = dict.fromkeys(name for stage in study.stages for name in stage.labels)
            raise ConfigError(f"--only {text}: no such axis; {hint(axis, axes, 'axes')}")
        if label not in known:
            raise ConfigError(f"--only {text}: no such label; {hint(label, known, 'labels')}")
        wanted.setdefault(axis, []).append(label)
    return replace(study, stages=tuple(_keep(stage, wanted) for stage in study.stages))


def _keep(stage: Stage, wanted: Mapping[str, Sequence[str]]) -> Stage:
    asked = {name: labels for name, labels in wanted.items() if name in stage.labels}
    if not asked:
        return stage
    # A cell of the product has no label on the axis of explicit rows, and a row has none on any other axis: neither
    # is among what was asked for when the other's axis was named.
    dimensions = tuple(_keep_positions(dimension, asked) for dimension in stage.dimensions)
    keeps_product = asked.keys() <= {axis.name for axis in stage.axes} and all(axes[0].values for axes in dimensions)
    rows = tuple(pair for pair in stage.rows if asked.keys() == {ROWS_AXIS} and pair[0] in asked[ROWS_AXIS])
    if not rows and not keeps_product:
        raise ConfigError(f"--only: stage '{stage.name}' keeps no cell ({stage.where})")
    # The filter besides: where an axis does not apply, a combination has no label on it, and was not asked for.
    only = LabelFilter(tuple((name, frozenset(labels)) for name, labels in asked.items()))
    return replace(stage, dimensions=dimensions if keeps_product else (), rows=rows, only=only)


def _keep_positions(dimension: tuple[Axis, ...], asked: Mapping[str, Sequence[str]]) -> tuple[Axis, ...]:
    """Positions at which every axis has an asked label: coupled axes stay coupled."""
    kept = [
        position
        for position in zip(*(axis.values for axis in dimension), strict=True)
        if all(label in asked.get(axis.name, [label]) for axis, (label, _) in zip(dimension, position, strict=True))
    ]
    return tuple(
        replace(axis, values=tuple(position[index] for position in kept)) for index, axis in enumerate(dimension)
    )
