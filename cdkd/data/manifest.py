"""A prepared data set's list of videos, kept as one file beside them.

The file is `manifest.csv`: a first line `# {json}` with name, classes and settings, then a plain CSV with one row per
video and one `part_N` column per official split. One file, replaced in one step, cannot be half written.
"""

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, TextIO, cast, get_args

from cdkd.atomic_write import atomic_write
from cdkd.errors import CdkdError

MANIFEST_NAME = "manifest.csv"
FORMAT = 1

Part = Literal["train", "validation", "test", "pretrain", "unlabelled", "unused"]
PARTS: tuple[Part, ...] = get_args(Part)
UNKNOWN_LABEL = -1
"""Of a video in the part `unlabelled`."""


class DatasetError(CdkdError):
    """A data set, its annotation files or its manifest cannot be used as they are."""

    def __init__(self, message: str) -> None:
        # Bytes of a file name that are no UTF-8 would make a terminal refuse the whole line.
        super().__init__(message.encode("utf-8", "backslashreplace").decode())


@dataclass(frozen=True, slots=True)
class LabelledVideo:
    """One video of a data set."""

    path: str
    """Relative to the data set's root, with forward slashes."""
    label: int
    """0-based index into the classes; `UNKNOWN_LABEL` in the part `unlabelled`."""
    group: str
    """Videos of one group share a source (a subject, a film) and must stay on one side of a split; "" is alone."""
    part: Part
    """What the video is used for."""
    digest: str = ""
    """Hash of the file's bytes; "" where nobody computed it."""


@dataclass(frozen=True)
class Manifest:
    """A data set under one of its splits; build it with `make_manifest`."""

    name: str
    root: Path
    """Folder that the videos' paths start from."""
    classes: tuple[str, ...]
    videos: tuple[LabelledVideo, ...]
    """Ordered by path."""
    version: str
    """Hash of classes and rows; the same rows in any order give the same version."""
    settings: dict[str, str] = field(default_factory=dict)
    """How the videos were made, for provenance."""

    def part(self, name: Part) -> tuple[LabelledVideo, ...]:
        """The videos of one part, in order."""
        if name not in PARTS:
            raise DatasetError(f"{name}: no such part; known: {', '.join(PARTS)}")
        return tuple(video for video in self.videos if video.part == name)

    @property
    def num_videos_per_part(self) -> dict[str, int]:
        """Part name to number of videos, for the parts that have any."""
        counts = Counter(video.part for video in self.videos)
        return {part: counts[part] for part in PARTS if counts[part]}

    def file(self, video: LabelledVideo) -> Path:
        """Where a video of this data set lies."""
        return self.root / video.path


def content_version(classes: Sequence[str], videos: Iterable[LabelledVideo]) -> str:
    """Sixteen hexadecimal digits that depend on classes and rows, not on the rows' order."""
    digest = hashlib.sha256(json.dumps(list(classes)).encode())
    for video in sorted(videos, key=attrgetter("path")):
        row = f"{video.path}\0{video.label}\0{video.group}\0{video.part}\0{video.digest}\n"
        digest.update(row.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def make_manifest(
    name: str, root: Path, classes: Sequence[str], videos: Iterable[LabelledVideo], settings: dict[str, str]
) -> Manifest:
    """Orders the rows, checks them and gives them their version.

    Raises:
        DatasetError: a path stands twice or leads out of the root, or a label that is used has no class.
    """
    rows = tuple(sorted(videos, key=attrgetter("path")))
    for before, row in pairwise(rows):
        if before.path == row.path:
            raise DatasetError(f"{name}: {row.path} is listed twice")
    for row in rows:
        if row.path.startswith("/") or "/../" in f"/{row.path}/":
            raise DatasetError(f"{name}: {row.path} does not lie below the data set's root")
        if row.part not in ("unused", "unlabelled") and not 0 <= row.label < len(classes):
            raise DatasetError(f"{name}: {row.path} has label {row.label}, but there are {len(classes)} classes")
    return Manifest(name, root, tuple(classes), rows, content_version(classes, rows), dict(settings))


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Writes `manifest.csv` of a data set with a single split into a folder, all at once, and returns its path."""
    return write_splits(folder, {1: manifest})


def write_splits(folder: Path, splits: Mapping[int, Manifest]) -> Path:
    """Writes `manifest.csv` into a folder, all at once, and returns its path.

    Args:
        folder: made where it does not exist.
        splits: by official number: the same videos, each time with other parts.

    Raises:
        DatasetError: the splits do not list the same videos, or the file cannot be written.
    """
    manifest, *others = splits.values()
    paths = [video.path for video in manifest.videos]
    for other in others:
        if [video.path for video in other.videos] != paths or other.classes != manifest.classes:
            raise DatasetError(f"{manifest.name}: the splits do not list the same videos and classes")
    is_inside = manifest.root.resolve() == folder.resolve()
    header = {
        "format": FORMAT,
        "name": manifest.name,
        "root": "." if is_inside else str(manifest.root.resolve()),
        "classes": list(manifest.classes),
        "versions": {str(number): split.version for number, split in splits.items()},
        "settings": manifest.settings,
    }
    columns = ["path", "label", "group", "digest", *(f"part_{number}" for number in splits)]
    parts = zip(*([video.part for video in split.videos] for split in splits.values()), strict=True)
    rows = (
        [video.path, video.label, video.group, video.digest, *each]
        for video, each in zip(manifest.videos, parts, strict=True)
    )
    stream = io.StringIO()
    stream.write(f"# {json.dumps(header)}\n")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    target = folder / MANIFEST_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(target, stream.getvalue())
    except OSError as error:
        raise DatasetError(f"{target}: cannot be written: {error.strerror or error}") from error
    return target


def has_manifest(folder: Path) -> bool:
    """A prepared data set lies in this folder."""
    return (folder / MANIFEST_NAME).is_file()


def split_numbers(folder: Path) -> tuple[int, ...]:
    """The official numbers of the splits that a prepared folder's manifest holds."""
    return tuple(int(number) for number in _read_header(folder)["versions"])


def manifest_version(folder: Path, split: int = 1) -> str:
    """The content version of one split, from the manifest's first line alone: quick, however many rows follow.

    Raises:
        DatasetError: there is no manifest, its first line was damaged, or it has no such split.
    """
    return _version_of(folder, _read_header(folder)["versions"], split)


def prepared_name(folder: Path) -> str:
    """The data set that lies prepared in a folder."""
    return str(_read_header(folder)["name"])


def read_manifest(folder: Path, split: int = 1) -> Manifest:
    """Reads one split of a prepared folder's manifest.

    Raises:
        DatasetError: there is none, it was damaged, or it has no such split.
    """
    path = folder / MANIFEST_NAME
    with _opened(path) as stream:
        header = _parse_header(path, stream.readline())
        reader = csv.reader(stream)
        next(reader, None)
        rows = list(reader)
    versions = header["versions"]
    version = _version_of(folder, versions, split)
    column = 4 + list(versions).index(str(split))
    try:
        videos = tuple(LabelledVideo(row[0], int(row[1]), row[2], cast(Part, row[column]), row[3]) for row in rows)
    except (IndexError, ValueError) as error:
        raise DatasetError(f"{path}: a row is damaged ({error}); {_remedy(folder)}") from error
    root = folder if header["root"] == "." else Path(header["root"])
    manifest = make_manifest(header["name"], root, header["classes"], videos, header["settings"])
    if manifest.version != version:
        raise DatasetError(f"{path}: its rows are not those it was written with; {_remedy(folder)}")
    return manifest


def _version_of(folder: Path, versions: dict[str, str], split: int) -> str:
    if str(split) not in versions:
        known = ", ".join(versions)
        raise DatasetError(f"{folder / MANIFEST_NAME}: data.split={split}, but it was prepared with split {known} only")
    return versions[str(split)]


def _read_header(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST_NAME
    with _opened(path) as stream:
        return _parse_header(path, stream.readline())


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            yield stream
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: not found; {_remedy(path.parent)}") from error
    except (OSError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error


def _parse_header(path: Path, line: str) -> dict[str, Any]:
    try:
        header: Any = json.loads(line.removeprefix("#"))
        complete = {"format", "name", "root", "classes", "versions", "settings"} <= header.keys()
    except (ValueError, AttributeError):
        complete = False
    if not complete:
        raise DatasetError(f"{path}: is no manifest of cdkd; {_remedy(path.parent)}")
    if header["format"] != FORMAT:
        raise DatasetError(f"{path}: format {header['format']}, this version reads {FORMAT}; {_remedy(path.parent)}")
    return dict(header)


def _remedy(folder: Path) -> str:
    return f"prepare the data set: cdkd data prepare NAME --source DIR --output {folder}"


def with_parts(videos: Iterable[LabelledVideo], parts: dict[str, Part]) -> tuple[LabelledVideo, ...]:
    """The videos with the part that `parts` gives for their path, where it gives one."""
    return tuple(replace(video, part=parts[video.path]) if video.path in parts else video for video in videos)
