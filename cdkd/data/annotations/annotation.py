"""What an annotation reader gives back; every format's file turns published text into this."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cdkd.data.manifest import PARTS, DatasetError, LabelledVideo

_SEARCH_DEPTH = 2


@dataclass(frozen=True)
class Annotation:
    """Classes and videos of one split, as published: whether the files exist is not asked here."""

    classes: tuple[str, ...]
    videos: tuple[LabelledVideo, ...]

    @property
    def num_videos_per_part(self) -> dict[str, int]:
        """Part name to number of listed videos, for the parts that have any."""
        counts = Counter(video.part for video in self.videos)
        return {part: counts[part] for part in PARTS if counts[part]}


@dataclass(frozen=True)
class Line:
    """A line of a text file that can say where it stands."""

    path: Path
    number: int
    text: str

    def error(self, message: str) -> DatasetError:
        """A ready error that names file and line."""
        return DatasetError(f"{self.path}:{self.number}: {message}: {self.text!r}")


def read_text(path: Path) -> str:
    """A text file in UTF-8, with or without byte order mark.

    Raises:
        DatasetError: the file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_lines(path: Path) -> list[Line]:
    """The lines that hold something, without surrounding blanks; lines may end in LF or CRLF."""
    lines = (Line(path, number, text.strip()) for number, text in enumerate(read_text(path).split("\n"), start=1))
    return [line for line in lines if line.text]


def read_table(path: Path, required: tuple[str, ...]) -> list[tuple[Line, dict[str, str]]]:
    """The rows of a CSV with a header line; each row by column name, with the line that it ends on.

    Raises:
        DatasetError: the file cannot be read, or its header lacks a required column.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""))
    header = [name.strip().casefold() for name in next(reader, [])]
    lacking = [name for name in required if name not in header]
    if lacking:
        raise DatasetError(f"{path}:1: the header {','.join(header)!r} lacks {', '.join(lacking)}")
    rows = []
    for values in reader:
        if values:
            line = Line(path, reader.line_num, ",".join(values))
            if len(values) < len(header):
                raise line.error(f"{len(header)} columns are expected")
            rows.append((line, dict(zip(header, (value.strip() for value in values), strict=False))))
    return rows


def find_annotation(folder: Path, *names: str) -> Path | None:
    """The first file that matches one of the names (or patterns), in `folder` or up to two folders below.

    Shallow folders come first, then the order of `names`, then the alphabet.
    """
    for depth in range(_SEARCH_DEPTH + 1):
        for name in names:
            found = sorted(path for path in folder.glob("*/" * depth + name) if path.is_file())
            if found:
                return found[0]
    return None


def require_annotation(folder: Path, what: str, *names: str) -> Path:
    """`find_annotation`, or an error.

    Raises:
        DatasetError: nothing is found; the text names what to download.
    """
    found = find_annotation(folder, *names)
    if found is None:
        raise DatasetError(
            f"{folder}: no {' or '.join(names)} here or two folders below; "
            f"add {what}, or name its folder with --annotations"
        )
    return found


def unique(lines: Iterator[tuple[Line, LabelledVideo]]) -> tuple[LabelledVideo, ...]:
    """The rows, ordered by path.

    Raises:
        DatasetError: a video is listed twice; the text names the second line.
    """
    rows: dict[str, LabelledVideo] = {}
    for line, video in lines:
        if video.path in rows:
            raise line.error(f"{video.path} is listed twice")
        rows[video.path] = video
    return tuple(rows[path] for path in sorted(rows))
