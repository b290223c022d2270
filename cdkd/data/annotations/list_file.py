"""List files as TSM, TDN and CoViAR read them: one video per line, its label last."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from cdkd.data.annotations.annotation import Annotation, Line, read_lines, unique
from cdkd.data.manifest import DatasetError, LabelledVideo, Part
from cdkd.data.source_files import VIDEO_SUFFIXES


def read_lists(lists: Mapping[Part, Path], classes: tuple[str, ...] = ()) -> Annotation:
    """Reads one list file per part.

    A row is `path num_frames label` (TSM, TDN), `path label` (TDN for videos) or `path class_name label` (CoViAR).
    The label is the last column and counts from 0; a path may hold blanks when it ends in a video's suffix. Where no
    class names are given they are CoViAR's, else the folder that all videos of a label share, else `class_N`.

    Raises:
        DatasetError: a row is not of that form, or a label lies beyond the given classes.
    """
    names: dict[int, set[str]] = {}

    def rows() -> Iterator[tuple[Line, LabelledVideo]]:
        for part, path in lists.items():
            for line in read_lines(path):
                video_path, label, name = _split_row(line)
                names.setdefault(label, set()).add(name)
                if classes and label >= len(classes):
                    raise line.error(f"label {label}, but there are {len(classes)} classes")
                yield line, LabelledVideo(video_path, label, "", part)

    videos = unique(rows())
    if not videos:
        raise DatasetError(f"{', '.join(map(str, lists.values()))}: no videos are listed")
    return Annotation(classes or _class_names(names), videos)


def _split_row(line: Line) -> tuple[str, int, str]:
    path, _, last = line.text.rpartition(" ")
    path = path.strip()
    if not path or not last.isdigit():
        raise line.error("'path num_frames label' or 'path label' is expected")
    name = ""
    if PurePosixPath(path).suffix.casefold() not in VIDEO_SUFFIXES:
        head, _, middle = path.rpartition(" ")
        if head:
            path, name = head.strip(), "" if middle.isdigit() else middle
    parts = PurePosixPath(path).parts
    # Published lists hold the absolute paths of their author's machine; class folder and name are what carries over.
    relative = PurePosixPath(*parts[-2:]) if path.startswith("/") else PurePosixPath(path)
    return relative.as_posix(), int(last), name or relative.parent.name


def _class_names(names: Mapping[int, set[str]]) -> tuple[str, ...]:
    chosen = []
    for label in range(max(names) + 1):
        candidates = names.get(label, set()) - {""}
        chosen.append(candidates.pop() if len(candidates) == 1 else f"class_{label}")
    is_clear = len(set(chosen)) == len(chosen)
    return tuple(chosen) if is_clear else tuple(f"class_{label}" for label in range(len(chosen)))
