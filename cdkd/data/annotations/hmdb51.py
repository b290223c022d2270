"""HMDB-51's published lists: one file `<class>_test_splitN.txt` per class and split."""

import re
from collections.abc import Iterator
from pathlib import Path

from cdkd.data.annotations.annotation import Annotation, Line, read_lines, require_annotation, unique
from cdkd.data.annotations.spec import DatasetSpec
from cdkd.data.manifest import LabelledVideo, Part

_WHAT = "test_train_splits (testTrainMulti_7030_splits)"
_PARTS: dict[str, Part] = {"0": "unused", "1": "train", "2": "test"}
# <film>_<class>_<visible body part>_<camera>_<people>_<view>_<quality>_<number>
_NAME = r"^(?P<film>.+)_{action}_[a-z]_[a-z]{{2}}_np\d_[a-z]{{2}}_[a-z]{{3}}_\d+$"


def read_hmdb51(folder: Path, split: int) -> Annotation:
    """One of the three official splits.

    A row is `name.avi tag`, tag 1 for training, 2 for testing, 0 for neither; names hold `#`, `[`, `&` and more. The
    publisher numbers no classes: ours are in plain alphabetical order (`kick` before `kick_ball`, `sword` before
    `sword_exercise`), whereas lists derived from TSN's class list swap these two pairs. A group is the film that the
    clip was cut from, where the name tells it.

    Raises:
        DatasetError: there are no such files or a row is not of that form.
    """
    suffix = f"_test_split{split}.txt"
    first = require_annotation(folder, _WHAT, f"*{suffix}")
    files = {path.name.removesuffix(suffix): path for path in first.parent.glob(f"*{suffix}")}
    classes = tuple(sorted(files))

    def rows() -> Iterator[tuple[Line, LabelledVideo]]:
        for label, name in enumerate(classes):
            pattern = re.compile(_NAME.format(action=re.escape(name)))
            for line in read_lines(files[name]):
                yield line, _read_row(line, name, label, pattern)

    return Annotation(classes, unique(rows()))


def _read_row(line: Line, action: str, label: int, pattern: re.Pattern[str]) -> LabelledVideo:
    name, _, tag = line.text.rpartition(" ")
    if not name or tag not in _PARTS:
        raise line.error("'name.avi tag' with a tag of 0, 1 or 2 is expected")
    name = name.strip()
    match = pattern.match(Path(name).stem)
    return LabelledVideo(f"{action}/{name}", label, match["film"] if match else "", _PARTS[tag])


# Views as for UCF-101.
SPEC = DatasetSpec(
    name="hmdb51",
    title="HMDB-51",
    published_name="HMDB-51",
    read=read_hmdb51,
    splits=(1, 2, 3),
    num_classes=51,
    counts={split: {"train": 3570, "test": 1530, "unused": 1666} for split in (1, 2, 3)},
    views=(10, 3),
)
