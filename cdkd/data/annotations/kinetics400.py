"""Kinetics-400's published tables: train.csv, val.csv and test.csv."""

import re
from collections.abc import Iterator
from pathlib import Path

from cdkd.data.annotations.annotation import Annotation, Line, find_annotation, read_table, require_annotation, unique
from cdkd.data.annotations.spec import DatasetSpec
from cdkd.data.manifest import LabelledVideo, Part

_WHAT = "the annotation files train.csv and val.csv"
_CLIP = re.compile(r"^(?P<id>.+)_(?P<start>\d{6,})_(?P<end>\d{6,})$")


def _names(*words: str) -> tuple[str, ...]:
    prefixes = ("", "kinetics-400_", "kinetics400_", "kinetics_")
    return tuple(f"{prefix}{word}.csv" for prefix in prefixes for word in words)


# The official test part is scored by nobody any more; papers report the validation part, so that is what we test on.
_TABLES: dict[Part, tuple[str, ...]] = {
    "train": _names("train"),
    "test": _names("val", "validate", "validation"),
    "unused": _names("test"),
}


def read_kinetics400(folder: Path, split: int) -> Annotation:
    """The only split: official training part to train on, official validation part to test on.

    Columns are `label,youtube_id,time_start,time_end,split`, more are ignored. A class is its label with blanks as
    underscores and without quotes and parentheses, as the folders of most copies are called; classes are in
    alphabetical order. A clip is called `{id}_{start:06d}_{end:06d}.mp4`. Videos vanish from the web, so copies differ
    and lack some. No clip shares its source with another, so there are no groups.

    Raises:
        DatasetError: a table is missing or a row is not of that form.
    """
    del split
    train = require_annotation(folder, _WHAT, *_TABLES["train"])
    tables: dict[Part, Path] = {"train": train, "test": require_annotation(folder, _WHAT, *_TABLES["test"])}
    unused = find_annotation(train.parent, *_TABLES["unused"])
    if unused is not None:
        tables["unused"] = unused
    required = ("label", "youtube_id", "time_start", "time_end")
    rows = [
        (line, row, part)
        for part, path in tables.items()
        for line, row in read_table(path, required if part != "unused" else required[1:])
    ]
    classes = tuple(sorted({clean_label(row["label"]) for _, row, part in rows if part != "unused"}))
    labels = {name: label for label, name in enumerate(classes)}

    def videos() -> Iterator[tuple[Line, LabelledVideo]]:
        for line, row, part in rows:
            yield line, _read_row(line, row, part, labels)

    return Annotation(classes, unique(videos()))


def _read_row(line: Line, row: dict[str, str], part: Part, labels: dict[str, int]) -> LabelledVideo:
    try:
        start, end = (int(float(row[name])) for name in ("time_start", "time_end"))
    except ValueError:
        raise line.error("time_start and time_end must be seconds") from None
    if not row["youtube_id"] or "/" in row["youtube_id"]:
        raise line.error("a youtube_id is expected")
    name = clean_label(row.get("label", ""))
    folder = name if name in labels else "unlabelled"
    path = f"{folder}/{row['youtube_id']}_{start:06d}_{end:06d}.mp4"
    return LabelledVideo(path, labels.get(name, -1), "", part)


def clean_label(label: str) -> str:
    """`massaging person's head` becomes `massaging_persons_head`."""
    return re.sub(r"[\"'()]", "", label.strip()).replace(" ", "_")


def kinetics400_names(stem: str) -> tuple[str, ...]:
    """The names, without suffix, under which copies keep a clip: with both times, with the start as printed, bare."""
    match = _CLIP.match(stem)
    if match is None:
        return (stem,)
    return (stem, f"{match['id']}_{int(match['start'])}", match["id"])


SPEC = DatasetSpec(
    name="kinetics400",
    title="Kinetics-400",
    published_name="Kinetics-400",
    read=read_kinetics400,
    num_classes=400,
    views=(10, 3),
    copies_differ=True,
    source_names=kinetics400_names,
    class_folder=clean_label,
    note="copies differ: one often used has 240,436 train and 19,796 test videos, another 234,619 and 19,760",
)
