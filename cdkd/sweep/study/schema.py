"""The JSON schema of study files, for editors: every key with its sentence, every setting nested or by its dotted key.

It is read off the same records that read a file. What no schema can say (an axis that `exclude` names, a stage that
`best` names) is checked when the file is read.
"""

from collections.abc import Iterator
from typing import Any, TypeGuard

from pydantic import BaseModel

from cdkd.settings import RunConfig
from cdkd.sweep.study.file_records import BestSettings, RangeSettings, SearchSettings, StageSettings, StudySettings

Schema = dict[str, Any]

_NOT_IN_STUDIES = "seed"
"""An axis of its own."""
_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_LABELS: Schema = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR, "minItems": 1}]}
_SEEDS: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "uniqueItems": True},
    ]
}


def study_schema() -> Schema:
    """The schema of a study file, draft 2020-12."""
    groups = dict(_groups(RunConfig, ""))
    leaves = dict(_dotted(RunConfig))
    definitions: Schema = {_definition(prefix): schema for prefix, schema in groups.items()}
    definitions["stage"] = _stage(leaves)
    study = _record(
        StudySettings,
        base=_reference(""),
        seeds=_SEEDS,
        tables={"type": "array", "items": {"type": ["string", "integer"]}},
        stages={"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/stage"}},
    )
    # Whoever extends a study has its stages.
    del study["required"]
    study |= {"required": ["study"], "anyOf": [{"required": ["stages"]}, {"required": ["extends"]}]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **study,
        "title": "A study of cdkd",
        "$defs": definitions,
    }


def _stage(leaves: dict[str, Schema]) -> Schema:
    labelled: Schema = {
        "type": "object",
        "additionalProperties": {"anyOf": [_reference(""), {"type": "null"}]},
    }
    axes: Schema = {
        "type": "object",
        "properties": {
            key: {"anyOf": [{"type": "array", "items": leaf, "minItems": 1}, labelled], **_told(leaf)}
            for key, leaf in leaves.items()
        },
        "additionalProperties": labelled,
    }
    return _record(
        StageSettings,
        best=_record(BestSettings, among={"type": "object", "additionalProperties": _LABELS}, take=_take(leaves)),
        search=_record(SearchSettings, over=_over(leaves), seeds=_SEEDS),
        base=_reference(""),
        axes=axes,
        zip={"type": "array", "items": axes},
        rows=labelled,
        exclude={"type": "array", "items": {"type": "object", "additionalProperties": _LABELS, "minProperties": 1}},
        when={"type": "object", "additionalProperties": {"type": "object", "minProperties": 1}},
    )


def _take(leaves: dict[str, Schema]) -> Schema:
    return {"type": "array", "minItems": 1, "items": {"enum": list(leaves)}}


def _over(leaves: dict[str, Schema]) -> Schema:
    span = _record(RangeSettings)
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {
            key: {"anyOf": [span, {"type": "array", "items": leaf, "minItems": 2}], **_told(leaf)}
            for key, leaf in leaves.items()
            if "$ref" not in leaf
        },
    }


def _record(record: type[BaseModel], **replaced: Schema) -> Schema:
    """A record's own schema; what it takes as any mapping is replaced, its sentence kept."""
    schema = record.model_json_schema()
    schema.pop("$defs", None)
    schema.pop("title", None)
    for name, replacement in replaced.items():
        schema["properties"][name] = {**replacement, **_told(schema["properties"][name])}
    for one in schema["properties"].values():
        one.pop("title", None)
        if "description" in one:
            one["description"] = " ".join(one["description"].split())
    return schema


def _groups(record: type[BaseModel], prefix: str) -> Iterator[tuple[str, Schema]]:
    """Dotted prefix -> what may stand below it, of every group of settings."""
    properties = dict(_dotted(record, prefix))
    yield prefix, {"type": "object", "properties": properties, "additionalProperties": False, **_sentence(record)}
    for name, field in record.model_fields.items():
        if _is_group(field.annotation):
            yield from _groups(field.annotation, f"{prefix}{name}.")


def _dotted(record: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Schema]]:
    """Every key that may stand in a group: its settings, its groups, and what lies below these by dotted keys."""
    own = record.model_json_schema()["properties"]
    for name, field in record.model_fields.items():
        if prefix + name == _NOT_IN_STUDIES:
            continue
        if not _is_group(field.annotation):
            leaf = dict(own[name])
            leaf.pop("title", None)
            if "description" in leaf:
                leaf["description"] = " ".join(leaf["description"].split())
            yield name, leaf
            continue
        yield name, {**_reference(f"{prefix}{name}."), **_sentence(field.annotation)}
        for below, schema in _dotted(field.annotation, f"{prefix}{name}."):
            yield f"{name}.{below}", schema


def _is_group(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _definition(prefix: str) -> str:
    return f"settings.{prefix}".rstrip(".")


def _reference(prefix: str) -> Schema:
    return {"$ref": f"#/$defs/{_definition(prefix)}"}


def _sentence(record: Any) -> Schema:
    return {"description": " ".join(record.__doc__.split())} if record.__doc__ else {}


def _told(schema: Schema) -> Schema:
    return {key: schema[key] for key in ("description", "default") if key in schema}
