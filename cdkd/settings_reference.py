"""What there is to set, read off the records themselves: key, default, values, sentence."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cdkd.config import ConfigError
from cdkd.effective_settings import when_effective
from cdkd.settings import RunConfig
from cdkd.suggestion import hint

_TYPES: dict[Any, str] = {bool: "true or false", int: "whole number", float: "number", str: "text", type(None): "null"}


@dataclass(frozen=True)
class Setting:
    """One setting, as a reference shows it."""

    key: str
    """Dotted."""
    default: Any
    values: str
    """What it may be, in words."""
    choices: tuple[Any, ...]
    """The words to choose from; empty: it is no choice."""
    sentence: str
    counts: str
    """When it is part of a cell's identity: always, never, or under which condition."""


@dataclass(frozen=True)
class Group:
    """Settings that belong together."""

    key: str
    """Dotted; empty: those of the top level."""
    sentence: str
    settings: tuple[Setting, ...]


@cache
def setting_groups() -> tuple[Group, ...]:
    """Every setting of a run, group by group in the order of the records."""
    return tuple(_groups(RunConfig, ""))


def find_settings(key: str) -> tuple[Group, ...]:
    """The groups that a dotted key names; of a single setting, its group with this setting alone.

    Raises:
        ConfigError: there is no such group or setting.
    """
    groups = setting_groups()
    below = tuple(group for group in groups if group.key == key or group.key.startswith(f"{key}."))
    if below:
        return below
    for group in groups:
        for setting in group.settings:
            if setting.key == key:
                return (Group(group.key, group.sentence, (setting,)),)
    known = [group.key for group in groups if group.key]
    known += [setting.key for group in groups for setting in group.settings]
    raise ConfigError(f"unknown setting '{key}'; {hint(key, known, 'settings')}")


def _groups(record: type[BaseModel], prefix: str) -> Iterator[Group]:
    nested: list[tuple[str, type[BaseModel]]] = []
    own = []
    for name, field in record.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            nested.append((name, field.annotation))
        else:
            own.append(_setting(f"{prefix}{name}", field))
    if own:
        yield Group(prefix.removesuffix("."), " ".join((record.__doc__ or "").split()), tuple(own))
    for name, annotation in nested:
        yield from _groups(annotation, f"{prefix}{name}.")


def _setting(key: str, field: FieldInfo) -> Setting:
    default = field.get_default(call_default_factory=True)
    return Setting(
        key=key,
        default=list(default) if isinstance(default, tuple) else default,
        values=_values(field.annotation, field.metadata),
        choices=get_args(field.annotation) if get_origin(field.annotation) is Literal else (),
        sentence=" ".join((field.description or "").split()),
        counts=when_effective(key),
    )


def _values(annotation: Any, metadata: list[Any]) -> str:
    """`whole number, at least 1` and the like."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(map(str, arguments))
    if origin in (Union, UnionType):
        return " or ".join(_values(argument, []) for argument in arguments)
    if origin is Annotated:
        return _values(arguments[0], [bound for field in arguments[1:] for bound in field.metadata])
    if origin is tuple:
        if get_origin(arguments[0]) is Literal:
            return f"list of {_values(arguments[0], [])}"
        inner = _TYPES[arguments[0]]
        return f"list of {inner}s" if arguments[-1] is Ellipsis else f"list of {len(arguments)} {inner}s"
    return ", ".join([_TYPES[annotation], *(text for item in metadata if (text := _bound(item)))])


def _bound(item: Any) -> str:
    bounds = {Ge: ("at least", "ge"), Gt: ("above", "gt"), Le: ("at most", "le"), Lt: ("below", "lt")}
    if type(item) in bounds:
        word, name = bounds[type(item)]
        return f"{word} {getattr(item, name):g}"
    return f"a multiple of {item.multiple_of}" if isinstance(item, MultipleOf) else ""
