"""A cell's parameters as Optuna's tools show them: the settings that its stage varies, each with its range."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from cdkd.overrides import find_field

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from cdkd.sweep.queue.cell_configuration import Configuration

_LOG_FROM_RATIO = 10.0
"""A grid whose largest value is so many times its smallest was meant by orders of magnitude."""


@dataclass(frozen=True)
class Parameters:
    """The varied settings of one cell, by dotted key, and what they may be in its stage."""

    values: dict[str, Any] = field(default_factory=dict)
    distributions: "dict[str, BaseDistribution]" = field(default_factory=dict)


def parameters_of(configurations: "Sequence[Configuration]") -> list[Parameters]:
    """The varied settings of each of a stage's cells.

    A setting is varied where two cells differ in it. Ranges are tight, since Optuna's importances rate a setting by how
    much of its range matters. Texts and lists have no range (files, labels); the seed is no parameter but a repetition.
    A cell lacks the settings of what it has switched off.
    """
    settings = [_read_settings(configuration) for configuration in configurations]
    values: dict[str, list[Any]] = {}
    for one in settings:
        for key, value in one.items():
            values.setdefault(key, []).append(value)
    # Sorted, so that the columns of Optuna's tools stand in one order whatever the cells' order.
    ranges = {key: found for key in sorted(values) if (found := _distribution(key, values[key])) is not None}
    return [
        Parameters({key: one[key] for key in ranges if key in one}, {key: ranges[key] for key in ranges if key in one})
        for one in settings
    ]


def _read_settings(configuration: "Configuration") -> dict[str, Any]:
    """The settings that vary and that the cell's run reads: a loss that is off has a weight, but nobody asks for it."""
    shared, own = configuration.shared, configuration.own

    def is_read(key: str) -> bool:
        groups = key.split(".")[:-1]
        switches = (".".join([*groups[:depth], "enabled"]) for depth in range(1, len(groups) + 1))
        return all(own.get(switch, shared.get(switch, True)) for switch in switches)

    # The switch itself stays: that a loss is off is what tells two cells apart.
    return {key: value for key, value in own.items() if key != "seed" and (key.endswith(".enabled") or is_read(key))}


def _distribution(key: str, values: Sequence[Any]) -> "BaseDistribution | None":
    """None for a setting that does not vary, or whose values have no range."""
    # Inside, since listing a plan imports this file and needs no Optuna.
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    field = find_field(key)
    if not isinstance(field, FieldInfo) or all(value == values[0] for value in values):
        return None
    # Choices are all that the schema allows, so that they never grow when the study does.
    if get_origin(field.annotation) is Literal:
        return CategoricalDistribution(get_args(field.annotation))
    # Before the numbers: in Python a bool is an int.
    if field.annotation is bool:
        return CategoricalDistribution((False, True))
    if not all(isinstance(value, int | float) for value in values):
        return None
    low, high = min(values), max(values)
    is_log = low > 0 and high / low >= _LOG_FROM_RATIO
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, log=is_log)
    return FloatDistribution(low, high, log=is_log)
