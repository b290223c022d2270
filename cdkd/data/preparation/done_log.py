"""The record of finished videos that lets a killed preparation go on where it stopped."""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Finished:
    """A transcoded video and what it was made from."""

    path: str
    """The video's path as published."""
    settings: str
    """Key of the transcoding settings."""
    source_size: int
    """Bytes."""
    source_modified_ns: int
    source_digest: str
    target_size: int
    """Bytes."""
    target_digest: str
    num_frames: int


_FIELDS = {field.name for field in fields(Finished)}


class DoneLog:
    """Appends one line per finished video; every line is one write, so a kill can tear the last line at most."""

    def __init__(self, folder: Path, name: str) -> None:
        """
        Args:
            folder: holds the logs of all shards; all are read, one is written.
            name: of the one that is written.
        """
        self._path = folder / f"{name}.jsonl"
        self._descriptor: int | None = None
        self._finished: dict[str, Finished] = {}
        # By age, so that of two lines about one video the younger wins; another number of shards deals them out anew.
        for path in sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns):
            self._finished.update(_read(path))

    def get(self, path: str) -> Finished | None:
        """What is known of a published path."""
        return self._finished.get(path)

    @property
    def finished(self) -> tuple[Finished, ...]:
        """All that is known."""
        return tuple(self._finished.values())

    def add(self, finished: Finished) -> None:
        """Records a video.

        Raises:
            OSError: the line cannot be written, for example on a full disk.
        """
        if self._descriptor is None:
            # Opened at the first line: a run that finds everything done leaves no empty file.
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            # A torn line must not swallow the next one.
            os.write(self._descriptor, b"\n")
        line = json.dumps(asdict(finished)).encode() + b"\n"
        while line:
            # A write may take a part only, on a disk that is nearly full.
            line = line[os.write(self._descriptor, line) :]
        self._finished[finished.path] = finished

    def close(self) -> None:
        """Closes the file; what was added is on disk."""
        if self._descriptor is not None:
            # Once at the end and not per line: what a power failure takes from the log is only made again.
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None


def _read(path: Path) -> dict[str, Finished]:
    finished = {}
    for line in path.read_bytes().split(b"\n"):
        try:
            values = json.loads(line)
        except ValueError:
            continue  # an empty or torn line: that video is transcoded again
        if isinstance(values, dict) and values.keys() == _FIELDS:
            finished[values["path"]] = Finished(**values)
    return finished
