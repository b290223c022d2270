"""A study that extends another: the two files as one document, in which every key knows its own file and line.

    parent                      child                        what the study is read from
    base: {train.epochs: 20}    base: {train: {seed: 1}}     both, setting by setting
    seeds: 3                    seeds: 6                     seeds: 6
    stages: [rows, second]      stages: [second, third]      rows, second (merged), third

Stages are found by their names. In one that both files have, `base` is merged setting by setting, `axes` and `rows`
by name, and every other key is the child's where it gives one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cdkd.config import ConfigError, Document, load_document
from cdkd.sweep.study.finder import find_study

_BY_NAME = ("axes", "rows")
"""Keys of a stage whose entries have names; an entry is taken whole, as parts of two axes make no axis."""


def load_inherited(path: Path) -> Document:
    """Reads a study file and every one that it extends, the nearest first.

    Raises:
        ConfigError: a file is missing or no YAML, a study extends itself, or one that extends has no name of its own.
    """
    return _load(path, ())


def _load(path: Path, children: tuple[Path, ...]) -> Document:
    document = load_document(path)
    name = document.values.get("extends")
    # A wrong type is told by the check of the whole, as of every other key.
    if not isinstance(name, str):
        return document
    if "study" not in document.values:
        raise document.error(("extends",), "a study that extends another needs a name of its own: give 'study'")
    chain = (*children, path)
    try:
        parent = find_study(name, beside=path)
    except ConfigError as error:
        raise document.error(("extends",), str(error)) from error
    if any(parent.resolve() == one.resolve() for one in chain):
        raise document.error(("extends",), f"goes round in a circle: {' -> '.join(map(str, (*chain, parent)))}")
    return _merge(_load(parent, chain), document)


def _merge(parent: Document, child: Document) -> Document:
    values = {**parent.values, **child.values}
    stages, positions = _merge_stages(parent, child)
    if stages is not None:
        values["stages"] = stages
    if isinstance(parent.values.get("base"), Mapping) and isinstance(child.values.get("base"), Mapping):
        values["base"] = _merge_settings(_nested(parent, ("base",)), _nested(child, ("base",)))
    # What the child replaces leaves places of the parent's behind, at which nothing stands that could be wrong.
    places = {**parent.places, **{_moved(key, positions): place for key, place in child.places.items()}}
    return Document(child.path, values, places)


def _moved(key: tuple[str, ...], positions: Mapping[str, str]) -> tuple[str, ...]:
    """A key of the child as one of the whole: its stages stand at other positions there."""
    if len(key) > 1 and key[0] == "stages":
        return (key[0], positions.get(key[1], key[1]), *key[2:])
    return key


def _merge_stages(parent: Document, child: Document) -> tuple[list[Any] | None, dict[str, str]]:
    """All stages, and where each of the child's stands among them; None where one of the files has no list of them."""
    ours, theirs = child.values.get("stages"), parent.values.get("stages")
    if not isinstance(ours, list) or not isinstance(theirs, list):
        return None, {}
    merged = list(theirs)
    positions = {}
    names = {stage.get("name"): index for index, stage in enumerate(theirs) if isinstance(stage, Mapping)}
    for index, stage in enumerate(ours):
        position = names.get(stage.get("name")) if isinstance(stage, Mapping) else None
        if position is None:
            position = len(merged)
            merged.append(stage)
        else:
            merged[position] = _merge_stage(parent, str(position), child, str(index))
        positions[str(index)] = str(position)
    return merged, positions


def _merge_stage(parent: Document, theirs: str, child: Document, ours: str) -> dict[Any, Any]:
    old, new = parent.values["stages"][int(theirs)], child.values["stages"][int(ours)]
    merged = {**old, **new}
    both = {key for key in old.keys() & new.keys() if isinstance(old[key], Mapping) and isinstance(new[key], Mapping)}
    for key in both & {*_BY_NAME}:
        merged[key] = {**old[key], **new[key]}
    if "base" in both:
        merged["base"] = _merge_settings(
            _nested(parent, ("stages", theirs, "base")), _nested(child, ("stages", ours, "base"))
        )
    return merged


def _nested(document: Document, here: tuple[str, ...]) -> dict[str, Any]:
    """Settings without dotted keys, so that the two ways to write one meet."""
    values: Any = document.values
    for part in here:
        values = values[int(part)] if isinstance(values, list) else values[part]
    nested: dict[str, Any] = {}
    _nest(document, here, values, nested)
    return nested


def _nest(document: Document, here: tuple[str, ...], values: Mapping[Any, Any], into: dict[str, Any]) -> None:
    for key, value in values.items():
        *groups, leaf = str(key).split(".")
        target = into
        for group in groups:
            target = target.setdefault(group, {})
            if not isinstance(target, dict):
                raise document.error((*here, str(key)), f"'{group}' is given as a value, too")
        if isinstance(value, Mapping) and isinstance(target.setdefault(leaf, {}), dict):
            _nest(document, (*here, str(key)), value, target[leaf])
        elif target.get(leaf):
            raise document.error((*here, str(key)), "given twice in this file")
        else:
            target[leaf] = value


def _merge_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        below = merged.get(key)
        is_group = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = _merge_settings(below, value) if is_group else value  # type: ignore[arg-type]
    return merged
