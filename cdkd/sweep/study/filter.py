"""Part of a study: only the cells with certain labels, and everything that they need."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cdkd.config import ConfigError
from cdkd.suggestion import hint
from cdkd.sweep.study.records import ROWS_AXIS, Stage, Study


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
            raise ConfigError(f"--only {text}: expected axis=label, for example network=TSM")
        known = _labels(study, axis)
        if not known:
            axes = dict.fromkeys(name for stage in study.stages for name in _axes(stage))
            raise ConfigError(f"--only {text}: no such axis; {hint(axis, axes, 'axes')}")
        if label not in known:
            raise ConfigError(f"--only {text}: no such label; {hint(label, known, 'labels')}")
        wanted.setdefault(axis, []).append(label)
    return replace(study, stages=tuple(_keep(stage, wanted) for stage in study.stages))


def _axes(stage: Stage) -> list[str]:
    return [*(axis.name for axis in stage.axes), *([ROWS_AXIS] if stage.rows else [])]


def _labels(study: Study, name: str) -> list[str]:
    found = [label for stage in study.stages for axis in stage.axes if axis.name == name for label, _ in axis.values]
    if name == ROWS_AXIS:
        found += [label for stage in study.stages for label, _ in stage.rows]
    return found


def _keep(stage: Stage, wanted: Mapping[str, Sequence[str]]) -> Stage:
    asked = {name: labels for name, labels in wanted.items() if name in _axes(stage)}
    if not asked:
        return stage
    # A cell of the product has no label on the axis of explicit rows, and a row has none on any other axis: neither
    # is among what was asked for when the other's axis was named.
    names = {axis.name for axis in stage.axes}
    axes = tuple(
        replace(axis, values=tuple(pair for pair in axis.values if pair[0] in asked.get(axis.name, [pair[0]])))
        for axis in stage.axes
    )
    keeps_product = asked.keys() <= names and all(axis.values for axis in axes)
    rows = tuple(pair for pair in stage.rows if asked.keys() == {ROWS_AXIS} and pair[0] in asked[ROWS_AXIS])
    if not rows and not keeps_product:
        raise ConfigError(f"--only: stage '{stage.name}' keeps no cell ({stage.where})")
    return replace(stage, axes=axes if keeps_product else (), rows=rows)
