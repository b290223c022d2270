"""What a stage varies, read from its place in a study file: axes, coupled axes, rows, filters, conditions."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic.fields import FieldInfo

from cdkd.config import ConfigError, Document
from cdkd.overrides import Fail, check_overrides, find_field
from cdkd.suggestion import hint
from cdkd.sweep.study.records import ROWS_AXIS, Axis, Condition, LabelFilter, Overrides

Key = tuple[str, ...]
"""Where something stands in the file."""


def fail_at(document: Document, prefix: Key, is_exact: bool = False) -> Fail:
    """Makes errors of keys below `prefix`, or of that key itself."""

    def fail(path: Key, text: str) -> ConfigError:
        return document.error(prefix if is_exact else (*prefix, *path), text)

    return fail


def read_dimensions(
    document: Document, here: Key, axes: Mapping[Any, Any], zips: Sequence[Mapping[Any, Any]]
) -> tuple[tuple[Axis, ...], ...]:
    """The factors of a stage's product: every axis, then every group of coupled ones.

    Args:
        document: the study file.
        here: the stage's key.
        axes: the stage's `axes`.
        zips: the stage's `zip`.

    Raises:
        ConfigError: an axis that is none, one that is given twice, or coupled ones of different lengths.
    """
    alone = [_axis(document, (*here, "axes"), key, value) for key, value in axes.items()]
    dimensions: list[tuple[Axis, ...]] = [(axis,) for axis in alone]
    taken = {axis.name for axis in alone}
    for number, group in enumerate(zips):
        place = (*here, "zip", str(number))
        coupled = tuple(_axis(document, place, key, value, may_repeat=True) for key, value in group.items())
        if len(coupled) < 2:
            raise document.error(place, "at least two axes go together; one alone belongs under 'axes'")
        for axis in coupled:
            if axis.name in taken:
                raise document.error((*place, axis.name), "this axis is given twice in the stage")
            taken.add(axis.name)
        if len({len(axis.values) for axis in coupled}) > 1:
            lengths = ", ".join(f"{axis.name} has {len(axis.values)}" for axis in coupled)
            raise document.error(place, f"axes that go together need equally many values: {lengths}")
        dimensions.append(coupled)
    return tuple(dimensions)


def _axis(document: Document, prefix: Key, key: Any, value: Any, may_repeat: bool = False) -> Axis:
    here = (*prefix, str(key))
    if isinstance(value, Mapping):
        values = read_labelled(document, here, value)
        if not values:
            raise document.error(here, "an axis needs at least one label")
        return Axis(_label(document, here, key), values)
    if not isinstance(value, list) or not value:
        raise document.error(here, "an axis is a list of values, or a mapping of labels to settings")
    pairs: list[tuple[str, Overrides]] = []
    for index, item in enumerate(value):
        place = (*here, str(index))
        checked = check_overrides({key: item}, fail_at(document, place, is_exact=True))
        # The label comes from the checked value, so that 1 and 1.0 are one label.
        label = label_of(next(iter(checked.values())))
        # One of several coupled axes may stay at a value while the others go on.
        if not may_repeat and label in dict(pairs):
            raise document.error(place, f"the value {label} is given twice")
        pairs.append((label, checked))
    return Axis(str(key), tuple(pairs))


def read_labelled(document: Document, prefix: Key, values: Mapping[Any, Any]) -> tuple[tuple[str, Overrides], ...]:
    """Label -> overrides; a label of nothing (`baseline:`) changes nothing.

    Raises:
        ConfigError: no mapping of settings, or a label that YAML reads as something else.
    """
    pairs = []
    for key, value in values.items():
        here = (*prefix, str(key))
        if value is not None and not isinstance(value, Mapping):
            raise document.error(here, f"a mapping of settings, such as {{distill.spatial.weight: 0.1}}, not {value!r}")
        label = _label(document, here, key)
        pairs.append((label, check_overrides(value or {}, fail_at(document, here))))
    return tuple(pairs)


def _label(document: Document, here: Key, key: Any) -> str:
    if isinstance(key, bool) or not isinstance(key, str | int | float):
        raise document.error(here, f"YAML reads this label as {key!r}; put it in quotes")
    return label_of(key)


def label_of(value: Any) -> str:
    """A setting's value as a label."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def read_filter(
    document: Document, here: Key, entry: Mapping[str, Any], known: Mapping[str, Sequence[str]]
) -> LabelFilter:
    """A selection of cells by labels.

    Args:
        document: the study file.
        here: where the entry stands.
        entry: axis -> label or labels.
        known: axis -> the labels that it has.

    Raises:
        ConfigError: no axis at all, or an unknown axis or label.
    """
    if not entry:
        raise document.error(here, "names no axis, and so would select every cell")
    chosen = []
    for axis, given in entry.items():
        if axis not in known:
            raise document.error((*here, axis), f"no such axis; {hint(axis, known, 'axes')}")
        chosen.append((axis, _wanted_labels(document, (*here, axis), given, known[axis])))
    return LabelFilter(tuple(chosen))


def _wanted_labels(document: Document, here: Key, given: Any, known: Sequence[str]) -> frozenset[str]:
    wanted = [label_of(item) for item in (given if isinstance(given, list) else [given])]
    for label in wanted:
        if label not in known:
            raise document.error(here, f"no label '{label}'; {hint(label, dict.fromkeys(known), 'labels')}")
    return frozenset(wanted)


def read_conditions(
    document: Document,
    here: Key,
    values: Mapping[Any, Any],
    dimensions: Sequence[tuple[Axis, ...]],
    rows: Sequence[tuple[str, Overrides]],
) -> dict[str, Condition]:
    """Axis or row -> where it applies.

    Args:
        document: the study file.
        here: the key of the stage's `when`.
        values: what stands there.
        dimensions: of the stage's product.
        rows: the stage's explicit rows.

    Raises:
        ConfigError: an unknown axis, row, label or setting, or a condition on what is not known there.
    """
    before: dict[str, dict[str, list[str]]] = {}
    labels: dict[str, list[str]] = {}
    for dimension in dimensions:
        if len(dimension) == 1:
            before[dimension[0].name] = dict(labels)
        labels |= {axis.name: [label for label, _ in axis.values] for axis in dimension}
    row_labels = [label for label, _ in rows]
    conditions = {}
    for key, entry in values.items():
        place, name = (*here, str(key)), label_of(key)
        if name in labels and name not in before:
            raise document.error(place, "axes that go together apply everywhere: give a condition to one alone")
        if name in before and name in row_labels:
            raise document.error(place, f"both an axis and a row are called '{name}'; rename one")
        if name not in before and name not in row_labels:
            raise document.error(place, f"no such axis or row; {hint(name, [*before, *row_labels], 'names')}")
        if not isinstance(entry, Mapping) or not entry:
            raise document.error(place, "a mapping of axes or settings to what they have to be")
        # A row has no label on any axis, so that only settings can decide about it.
        conditions[name] = _condition(document, place, entry, before.get(name, {}), labels)
    return conditions


def _condition(
    document: Document,
    here: Key,
    entry: Mapping[Any, Any],
    before: Mapping[str, Sequence[str]],
    axes: Mapping[str, Sequence[str]],
) -> Condition:
    chosen: list[tuple[str, frozenset[str]]] = []
    settings: list[tuple[str, tuple[Any, ...]]] = []
    for key, given in entry.items():
        place, name = (*here, str(key)), str(key)
        if name in before:
            chosen.append((name, _wanted_labels(document, place, given, before[name])))
            continue
        if name in axes or name == ROWS_AXIS:
            raise document.error(place, "decides only over axes that stand behind it in the stage")
        if isinstance(found := find_field(name), str):
            raise document.error(place, f"no axis that stands before, and {found}")
        fail = fail_at(document, place, is_exact=True)
        if not isinstance(found, FieldInfo):
            raise document.error(place, f"a group of settings ({', '.join(found.model_fields)}); name one of them")
        items = given if isinstance(given, list) else [given]
        settings.append((name, tuple(check_overrides({name: item}, fail)[name] for item in items)))
    return Condition(LabelFilter(tuple(chosen)), tuple(settings))
