"""UCF-101's published lists: classInd.txt, trainlist0N.txt and testlist0N.txt."""

import re
from collections.abc import Iterator
from pathlib import Path

from cdkd.data.annotations.annotation import Annotation, Line, read_lines, require_annotation, unique
from cdkd.data.annotations.spec import DatasetSpec
from cdkd.data.manifest import LabelledVideo, Part

_WHAT = "UCF101TrainTestSplits-RecognitionTask"
_GROUP = re.compile(r"_(g\d+)_c\d+$")


def read_ucf101(folder: Path, split: int) -> Annotation:
    """One of the three official splits.

    `classInd.txt` counts from 1. A row is `Class/v_Class_g08_c01.avi`, in training lists followed by the class number.
    The class is the row's folder, letter case aside: files of HandstandPushups are called `v_HandStandPushups_*`.
    A group is one of the 25 shoots `gXX` of a class.

    Raises:
        DatasetError: a list is missing or a row is not of that form.
    """
    index_path = require_annotation(folder, _WHAT, "classInd.txt")
    classes = _read_classes(index_path)
    labels = {name.casefold(): label for label, name in enumerate(classes)}

    def rows() -> Iterator[tuple[Line, LabelledVideo]]:
        parts: tuple[tuple[str, Part], ...] = (("trainlist", "train"), ("testlist", "test"))
        for stem, part in parts:
            for line in read_lines(require_annotation(index_path.parent, _WHAT, f"{stem}0{split}.txt")):
                yield line, _read_row(line, part, classes, labels)

    return Annotation(classes, unique(rows()))


def _read_classes(path: Path) -> tuple[str, ...]:
    classes: list[str] = []
    for line in read_lines(path):
        number, _, name = line.text.partition(" ")
        if number != str(len(classes) + 1) or not name.strip():
            raise line.error(f"'{len(classes) + 1} ClassName' is expected")
        classes.append(name.strip())
    return tuple(classes)


def _read_row(line: Line, part: Part, classes: tuple[str, ...], labels: dict[str, int]) -> LabelledVideo:
    path, _, number = line.text.partition(" ")
    folder, slash, name = path.partition("/")
    label = labels.get(folder.casefold())
    if not slash or label is None:
        raise line.error("'Class/v_Class_gNN_cNN.avi' with a class of classInd.txt is expected")
    if number and number.strip() != str(label + 1):
        raise line.error(f"{folder} is class {label + 1} in classInd.txt")
    match = _GROUP.search(Path(name).stem)
    group = f"{classes[label]}_{match[1]}" if match else ""
    return LabelledVideo(f"{classes[label]}/{name}", label, group, part)


# The paper gives no views for UCF-101 and HMDB-51; 10 x 3 is what the TDN teacher's authors use.
SPEC = DatasetSpec(
    name="ucf101",
    title="UCF-101",
    published_name="UCF-101",
    read=read_ucf101,
    splits=(1, 2, 3),
    num_classes=101,
    counts={
        1: {"train": 9537, "test": 3783},
        2: {"train": 9586, "test": 3734},
        3: {"train": 9624, "test": 3696},
    },
    views=(10, 3),
    ignore_case=True,
)
