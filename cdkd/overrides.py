"""Override mappings are checked against the experiment's settings, key by key, where they stand in the file."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cdkd.config import ConfigError, build_value
from cdkd.settings import RunConfig
from cdkd.suggestion import hint

Fail = Callable[[tuple[str, ...], str], ConfigError]
"""Makes the error of a key below the mapping that is checked, from its path and a text."""


def check_overrides(values: Mapping[Any, Any], fail: Fail) -> dict[str, Any]:
    """A mapping of nested or dotted overrides as one of dotted keys; every key and value suits `RunConfig`.

    Raises:
        ConfigError: an unknown key, a wrong value, `seed`, or a key given in two ways.
    """
    flat: dict[str, Any] = {}
    for path, dotted, value in _leaves(values, ()):
        if dotted == "seed":
            raise fail(path, "seeds are an axis of their own: use the study's 'seeds', or --seeds")
        if dotted in flat:
            raise fail(path, f"{dotted} is given twice")
        flat[dotted] = _check_leaf(dotted, value, partial(fail, path))
    return flat


def _leaves(values: Mapping[Any, Any], prefix: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], str, Any]]:
    for key, value in values.items():
        path = (*prefix, str(key))
        # An empty mapping changes nothing, but its key may still be misspelt.
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, path)
        else:
            yield path, ".".join(path), value


def find_field(dotted: str) -> FieldInfo | type[BaseModel] | str:
    """What a dotted key of `RunConfig` names: a field, a group of fields, or (a text) why it names nothing."""
    current: type[BaseModel] = RunConfig
    *parents, leaf = dotted.split(".")
    for depth, part in enumerate([*parents, leaf]):
        found = current.model_fields.get(part)
        if found is None:
            stem = ".".join(dotted.split(".")[:depth])
            known = [f"{stem}.{name}" if stem else name for name in current.model_fields]
            wrong = ".".join(dotted.split(".")[: depth + 1])
            return f"unknown setting '{wrong}'; {hint(wrong, known, 'settings')}"
        if isinstance(found.annotation, type) and issubclass(found.annotation, BaseModel):
            current = found.annotation
        elif depth < len(parents):
            return f"'{'.'.join(dotted.split('.')[: depth + 1])}' is a value, not a group of settings"
        else:
            return found
    return current


def _check_leaf(dotted: str, value: Any, fail: Callable[[str], ConfigError]) -> Any:
    found = find_field(dotted)
    if isinstance(found, str):
        raise fail(found)
    if not isinstance(found, FieldInfo):
        if isinstance(value, Mapping):
            return value
        raise fail(f"a group of settings ({', '.join(found.model_fields)}), not {value!r}")
    try:
        return build_value(found, value)
    except ConfigError as error:
        raise fail(str(error)) from error
