"""Videos that nobody has labelled: whatever lies in a folder, or a CSV `path[,group]`."""

from pathlib import Path

from cdkd.data.annotations.annotation import Annotation, read_table, unique
from cdkd.data.annotations.folder import path_below
from cdkd.data.annotations.spec import DatasetSpec
from cdkd.data.manifest import UNKNOWN_LABEL, DatasetError, LabelledVideo
from cdkd.data.source_files import list_videos


def read_unlabelled(folder: Path, split: int) -> Annotation:
    """Every video below a folder, whatever folders it lies in, or those that a CSV file lists.

    Raises:
        DatasetError: there are none.
    """
    del split
    if folder.is_file():
        rows = read_table(folder, ("path",))
        videos = unique(
            (line, _row(path_below(line, row["path"], folder.parent), row.get("group", ""))) for line, row in rows
        )
    else:
        videos = tuple(_row(path) for path in list_videos(folder))
    if not videos:
        raise DatasetError(f"{folder}: holds no videos; expected is a folder of them, or a CSV with the column path")
    return Annotation((), videos)


def _row(path: str, group: str = "") -> LabelledVideo:
    return LabelledVideo(path, UNKNOWN_LABEL, group, "unlabelled")


SPEC = DatasetSpec(
    name="unlabelled",
    title="videos without labels",
    origin="plain",
    read=read_unlabelled,
    # The data set beside which they stand decides.
    flip="off",
    layout="exact",
    note="for data.unlabelled: a folder of videos, or a CSV path[,group]",
)
