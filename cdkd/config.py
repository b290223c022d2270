"""YAML text becomes frozen, typed records; every mistake is an error that names file, line and key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from cdkd.errors import CdkdError
from cdkd.suggestion import hint

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Weight = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class ConfigError(CdkdError):
    """A configuration file or override is wrong; the text names file, line, key and remedy."""


class Record(BaseModel):
    """Base of every configuration record: immutable, unknown keys refused, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


_UNKNOWN = ("extra_forbidden", "invalid_key")
"""What pydantic calls a key that a record does not have."""

RecordType = TypeVar("RecordType", bound=Record)


class Document:
    """A parsed YAML file that remembers where each dotted key stands.

    Args:
        path: the file.
        values: its content.
        places: key -> (file, line); another file where the content was put together of several.
    """

    def __init__(self, path: Path, values: dict[str, Any], places: Mapping[tuple[str, ...], tuple[Path, int]]) -> None:
        self.path = path
        self.values = values
        self.places = places

    def where(self, key: tuple[str | int, ...]) -> str:
        """`file:line` of a key, or of its nearest parent that stands in the file."""
        parts = tuple(str(part) for part in key)
        while parts and parts not in self.places:
            parts = parts[:-1]
        file, line = self.places.get(parts, (self.path, 1))
        return f"{file}:{line}"

    def error(self, key: tuple[str | int, ...], message: str) -> ConfigError:
        """A ready error for a key of this file."""
        return ConfigError(f"{self.where(key)}: {'.'.join(map(str, key)) or 'top level'}: {message}")


def load_document(path: Path) -> Document:
    """Reads a YAML mapping.

    Raises:
        ConfigError: the file cannot be read, is not YAML, is no mapping, or holds a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}:1: a mapping of keys is expected at the top level")
    lines: dict[tuple[str, ...], int] = {}
    _index_lines(path, node, (), lines)
    for key, line in list(lines.items()):
        # A dotted key stands where the nested one would.
        lines.setdefault(tuple(".".join(key).split(".")), line)
    return Document(path, yaml.safe_load(text), {key: (path, line) for key, line in lines.items()})


def _index_lines(path: Path, node: yaml.Node, prefix: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            key = (*prefix, str(key_node.value))
            line = key_node.start_mark.line + 1
            if key in lines:
                raise ConfigError(f"{path}:{line}: {'.'.join(key)}: given twice (first on line {lines[key]})")
            lines[key] = line
            _index_lines(path, value_node, key, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            lines[(*prefix, str(index))] = child.start_mark.line + 1
            _index_lines(path, child, (*prefix, str(index)), lines)


def build_record(
    record: type[RecordType], values: Mapping[Any, Any], document: Document | None = None, prefix: tuple[str, ...] = ()
) -> RecordType:
    """Validates `values` as a `record`.

    Args:
        document: the file that they stand in.
        prefix: the key under which they stand there.

    Raises:
        ConfigError: names every wrong key; with a document, its file and line too.
    """
    try:
        return record.model_validate(values)
    except ValidationError as error:
        details = error.errors()
        # A misspelt key is missing, too, under its right name: it is told once.
        misspelt_in = {detail["loc"][:-1] for detail in details if detail["type"] in _UNKNOWN}
        messages = []
        for detail in details:
            if detail["type"] != "missing" or detail["loc"][:-1] not in misspelt_in:
                make = document.error if document else _error_without_file
                messages.append(str(make((*prefix, *detail["loc"]), _explain(record, detail))))
        raise ConfigError("\n".join(dict.fromkeys(messages))) from error


def build_value(field: FieldInfo, value: Any) -> Any:
    """Validates one value as a record's field would.

    Raises:
        ConfigError: says what is wrong, without the key, which the caller knows.
    """
    annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    try:
        return TypeAdapter(annotation).validate_python(value, strict=True)
    except ValidationError as error:
        reasons = sorted({_explain(None, detail) for detail in error.errors()})
        raise ConfigError("; ".join(reasons)) from error


def _error_without_file(key: tuple[str | int, ...], message: str) -> ConfigError:
    return ConfigError(f"{'.'.join(map(str, key))}: {message}")


def _explain(record: type[BaseModel] | None, detail: Any) -> str:
    if detail["type"] in _UNKNOWN:
        known = _fields_at(record, detail["loc"][:-1])
        return f"unknown key; {hint(str(detail['loc'][-1]), known, 'keys')}" if known else "unknown key"
    if detail["type"] == "missing":
        return "required, but not given"
    return f"{detail['msg']}, not {detail['input']!r}{_number_hint(detail['input'])}"


def _number_hint(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    try:
        return f" (YAML reads this as text; write {float(value)!r})"
    except ValueError:
        return ""


def _fields_at(record: type[BaseModel] | None, location: tuple[str | int, ...]) -> tuple[str, ...]:
    current: Any = record
    for part in location:
        field = getattr(current, "model_fields", {}).get(str(part))
        if field is None:
            return ()
        current = field.annotation
    return tuple(getattr(current, "model_fields", {}))


def parse_override(text: str, option: str = "--set") -> tuple[str, Any]:
    """Splits `dotted.key=value`; the value is read as YAML.

    Args:
        text: what was given.
        option: where, for the error.

    Raises:
        ConfigError: no `=`, an empty key, or a value that is not YAML.
    """
    key, sign, value = text.partition("=")
    place = f"{option} {text}".strip()
    if not sign or not key.strip():
        raise ConfigError(f"{place}: expected dotted.key=value, for example train.epochs=10")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"{place}: the value is not valid YAML") from error


def merge_dotted(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with overrides on top; an override's key may be dotted, its value a nested mapping.

    Raises:
        ConfigError: a dotted key goes through something that is not a mapping.
    """
    merged = {key: merge_dotted(value, {}) if isinstance(value, Mapping) else value for key, value in values.items()}
    for dotted, value in overrides.items():
        *parents, leaf = dotted.split(".")
        target = merged
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise ConfigError(f"{dotted}: '{parent}' is a value, not a group of keys")
        if isinstance(value, Mapping):
            below = target.get(leaf)
            target[leaf] = merge_dotted(below if isinstance(below, dict) else {}, value)
        else:
            target[leaf] = value
    return merged


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dictionaries as one of dotted keys."""
    flat: dict[str, Any] = {}
    _flatten_into(flat, values, "")
    return flat


def _flatten_into(flat: dict[str, Any], values: Mapping[str, Any], prefix: str) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            _flatten_into(flat, value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
