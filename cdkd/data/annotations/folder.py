"""Anybody's own videos: one sub-folder per class, or a CSV `path,label[,group,split]`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from cdkd.data.annotations.annotation import Annotation, Line, read_table, unique
from cdkd.data.annotations.spec import DatasetSpec
from cdkd.data.manifest import MANIFEST_NAME, UNKNOWN_LABEL, DatasetError, LabelledVideo, Part
from cdkd.data.source_files import list_videos
from cdkd.data.splits import hold_out

TEST_FRACTION = 0.2
"""Fraction of the videos that becomes the test part where no split is given."""

_PART_NAMES: dict[str, Part] = {
    "": "train",
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
    "pretrain": "pretrain",
    "unlabelled": "unlabelled",
    "unused": "unused",
}


def read_folder(folder: Path, split: int) -> Annotation:
    """Videos of a folder, or of a CSV file (given itself, or the only one in the folder).

    Where no test part is given, 20 % of the videos become one, by group and class and always the same ones; a
    validation part is held out of the rest when the data set is loaded.

    Raises:
        DatasetError: there are no videos, or fewer than two classes.
    """
    del split
    table = _find_table(folder)
    annotation = _read_table(table) if table else _read_tree(folder)
    if len(annotation.classes) < 2:
        raise DatasetError(
            f"{folder}: holds {len(annotation.videos)} videos of {len(annotation.classes)} classes; expected are one "
            f"sub-folder per class with videos in it, or a CSV with the columns path,label[,group,split]"
        )
    if any(video.part == "test" for video in annotation.videos):
        return annotation
    return Annotation(annotation.classes, hold_out(annotation.videos, TEST_FRACTION, seed=0, part="test"))


def folder_root(folder: Path) -> Path:
    """Where the paths start from: the folder itself, or the one that holds the CSV."""
    return folder.parent if folder.is_file() else folder


def _find_table(folder: Path) -> Path | None:
    if folder.is_file():
        return folder
    if not folder.is_dir():
        raise DatasetError(f"{folder}: not found; data.root names a folder of videos or a CSV file")
    tables = sorted(path for path in folder.glob("*.csv") if path.name != MANIFEST_NAME)
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise DatasetError(f"{folder}: holds several CSV files ({names}); name the one that lists the videos")
    return tables[0] if tables else None


def _read_table(path: Path) -> Annotation:
    rows = read_table(path, ("path", "label"))
    # Of the rows without label the split says so; a label that one of them has all the same is nobody's.
    classes = _ordered({row["label"] for _, row in rows if not _is_unlabelled(row)})
    labels = {name: label for label, name in enumerate(classes)}

    def videos() -> Iterator[tuple[Line, LabelledVideo]]:
        for line, row in rows:
            part = _PART_NAMES.get(row.get("split", "").casefold())
            if part is None:
                raise line.error(f"split must be one of {', '.join(filter(None, _PART_NAMES))}")
            if not row["path"] or not (row["label"] or part == "unlabelled"):
                raise line.error("path and label must not be empty, except the label where split is unlabelled")
            label = UNKNOWN_LABEL if part == "unlabelled" else labels[row["label"]]
            yield line, LabelledVideo(path_below(line, row["path"], path.parent), label, row.get("group", ""), part)

    return Annotation(classes, unique(videos()))


def _is_unlabelled(row: Mapping[str, str]) -> bool:
    return row.get("split", "").casefold() == "unlabelled"


def path_below(line: Line, text: str, root: Path) -> str:
    """A listed path relative to `root`, with forward slashes.

    Raises:
        DatasetError: it leads out of there.
    """
    path = PurePosixPath(text)
    if path.is_absolute():
        if not path.is_relative_to(root.absolute()):
            raise line.error(f"the path must lie below {root}")
        path = path.relative_to(root.absolute())
    if ".." in path.parts:
        raise line.error(f"the path must lie below {root}")
    return path.as_posix()


def _ordered(names: set[str]) -> tuple[str, ...]:
    """Alphabetical, but by value where every label is a number."""
    return tuple(sorted(names, key=int) if all(name.isdecimal() for name in names) else sorted(names))


def _read_tree(folder: Path) -> Annotation:
    paths = [path.split("/") for path in list_videos(folder)]
    tops = {path[0] for path in paths if len(path) > 1}
    # train/, val/, test/ and unlabelled/ at the top are parts, not classes.
    depth = 1 if tops and all(_PART_NAMES.get(top.casefold()) for top in tops) else 0
    bare = [path for path in paths if depth and path[0].casefold() == "unlabelled" and len(path) > 1]
    inside = [path for path in paths if len(path) > depth + 1 and path not in bare]
    classes = tuple(sorted({path[depth] for path in inside}))
    labels = {name: label for label, name in enumerate(classes)}
    # Any folder below unlabelled/ is where a video happens to lie, no class.
    unlabelled = [LabelledVideo("/".join(path), UNKNOWN_LABEL, "", "unlabelled") for path in bare]
    return Annotation(classes, (*(_from_path(path, depth, labels) for path in inside), *unlabelled))


def _from_path(path: Sequence[str], depth: int, labels: dict[str, int]) -> LabelledVideo:
    name = path[depth]
    deeper = path[depth + 1 : -1]
    # A folder inside the class's folder keeps together what was filmed together.
    group = "/".join((name, *deeper)) if deeper else ""
    part = _PART_NAMES[path[0].casefold()] if depth else "train"
    return LabelledVideo("/".join(path), labels[name], group, part)


SPEC = DatasetSpec(
    name="folder",
    title="a folder of videos",
    origin="plain",
    read=read_folder,
    # Nobody knows whether these classes tell left from right.
    flip="off",
    layout="exact",
    note="one sub-folder per class, or a CSV path,label[,group,split]",
)
