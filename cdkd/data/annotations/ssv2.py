"""Something-Something V2's published files: labels, train, validation and test JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cdkd.data.annotations.annotation import (
    Annotation,
    Line,
    find_annotation,
    read_lines,
    read_text,
    require_annotation,
    unique,
)
from cdkd.data.annotations.spec import DatasetSpec
from cdkd.data.manifest import DatasetError, LabelledVideo, Part

_WHAT = "the label files (labels.json, train.json, validation.json)"
_PREFIX = "something-something-v2-"
# Answers for the official test part were kept back for years; papers report the validation part, so we test on that.
_LISTS: tuple[tuple[str, Part], ...] = (("train", "train"), ("validation", "test"))


def read_ssv2(folder: Path, split: int) -> Annotation:
    """The only split: official training part to train on, official validation part to test on.

    `labels.json` maps each class to its number as text, from "0". The lists hold `id` and `template`; the class is the
    template without its square brackets. The unlabelled test part is listed as unused, with label -1 unless
    `test-answers.csv` (`id;class`) tells. Both namings are found: `train.json`, `something-something-v2-train.json`.
    Who filmed a video is not published, so there are no groups.

    Raises:
        DatasetError: a file is missing, is no JSON, or a row names an unknown class.
    """
    del split
    labels_path = _require(folder, "labels")
    labels = _read_labels(labels_path)
    classes = tuple(sorted(labels, key=lambda name: labels[name]))

    def rows() -> Iterator[tuple[Line, LabelledVideo]]:
        for name, part in _LISTS:
            yield from _read_list(_require(folder, name), labels, part)
        test = find_annotation(folder, "test.json", f"{_PREFIX}test.json")
        if test is not None:
            yield from _read_test(test, labels)

    return Annotation(classes, unique(rows()))


def _require(folder: Path, name: str) -> Path:
    return require_annotation(folder, _WHAT, f"{name}.json", f"{_PREFIX}{name}.json")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error


def _read_labels(path: Path) -> dict[str, int]:
    values = _read_json(path)
    try:
        labels = {_class_of(name): int(number) for name, number in values.items()}
    except (AttributeError, TypeError, ValueError):
        raise DatasetError(f'{path}: an object of class: "number" is expected') from None
    if sorted(labels.values()) != list(range(len(labels))):
        raise DatasetError(f"{path}: the classes are not numbered from 0 without gaps")
    return labels


def _class_of(template: str) -> str:
    return template.replace("[", "").replace("]", "")


def _read_list(path: Path, labels: dict[str, int], part: Part) -> Iterator[tuple[Line, LabelledVideo]]:
    for line, item in _items(path):
        name = _class_of(item.get("template", ""))
        if name not in labels:
            raise line.error(f"template {name!r} is no class of labels.json")
        yield line, _video(item, labels[name], part)


def _read_test(path: Path, labels: dict[str, int]) -> Iterator[tuple[Line, LabelledVideo]]:
    answers: dict[str, int] = {}
    answers_path = find_annotation(path.parent, "test-answers.csv", f"{_PREFIX}test-answers.csv")
    if answers_path is not None:
        for line in read_lines(answers_path):
            video, _, name = line.text.partition(";")
            if _class_of(name) not in labels:
                raise line.error("'id;class' with a class of labels.json is expected")
            answers[video] = labels[_class_of(name)]
    for line, item in _items(path):
        yield line, _video(item, answers.get(str(item["id"]), -1), "unused")


def _items(path: Path) -> Iterator[tuple[Line, dict[str, Any]]]:
    values = _read_json(path)
    if not isinstance(values, list):
        raise DatasetError(f"{path}: a list of objects is expected")
    for number, item in enumerate(values, start=1):
        # JSON keeps no line numbers; the number of the entry is the nearest there is.
        line = Line(path, number, str(item))
        if not isinstance(item, dict) or not str(item.get("id", "")).isdigit():
            raise line.error("an object with a numeric id is expected")
        yield line, item


def _video(item: dict[str, Any], label: int, part: Part) -> LabelledVideo:
    return LabelledVideo(f"{item['id']}.webm", label, "", part)


SPEC = DatasetSpec(
    name="ssv2",
    title="Something-Something V2",
    published_name="SSV2",
    read=read_ssv2,
    num_classes=174,
    counts={1: {"train": 168_913, "test": 24_777, "unused": 27_157}},
    views=(2, 3),
    flip="swap",
    # pulling, pushing, turning the camera: from left to right and from right to left
    swapped_labels=((86, 87), (93, 94), (166, 167)),
)
