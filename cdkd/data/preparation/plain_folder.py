"""Anybody's folder of videos, transcoded into the cache folder when it is first opened, and kept equal to it.

CDKD_HOME/folder/clips-0123456789ab/    the folder's name and a digest of where it lies; without labels: unlabelled/
    videos/  manifest.csv  quarantine.csv  .prepare/        as `prepare` leaves them
    source.json                         where the folder lies, and the digest, size and time of each of its files
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from stat import S_ISREG
from typing import Any

from cdkd.atomic_write import atomic_write
from cdkd.callbacks import Progress
from cdkd.capacity import default_workers, num_cores
from cdkd.data.annotations.folder import folder_root
from cdkd.data.annotations.spec import DatasetSpec
from cdkd.data.home import SOURCE_NAME, cdkd_home, home_error
from cdkd.data.manifest import DatasetError, content_version, file_digest
from cdkd.data.preparation.done_log import DoneLog
from cdkd.data.preparation.prepare import WORK_FOLDER, PrepareJob, prepare
from cdkd.data.preparation.transcoding import TranscodeSettings
from cdkd.data.preparation.worklist import QUARANTINE_NAME, VIDEOS_FOLDER

logger = logging.getLogger(__name__)

FORMAT = 1

_Entry = tuple[int, int, str]
"""Size in bytes, time of change in nanoseconds, digest."""


def cache_folder(source: Path, kind: str = "folder") -> Path:
    """Where the transcoded videos of a folder, or of the table in it, lie or will lie.

    Args:
        source: the folder, or the table.
        kind: name of the data sets of its kind: one folder may serve with its labels and without.
    """
    place = str(source.resolve())
    return cdkd_home() / kind / f"{folder_root(source).name}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"


def transcode_folder(spec: DatasetSpec, source: Path, max_broken: float, progress: Progress) -> Path:
    """Transcodes what is new or changed, removes what the folder no longer holds, and returns the cache folder.

    Processes that ask at once wait for the one that does it.

    Args:
        spec: of data sets of this kind.
        source: the folder, or a CSV file in it.
        max_broken: fraction of videos that may be unusable.
        progress: called with the fraction that is done.

    Raises:
        DatasetError: the folder cannot be read, more videos are unusable, or the cache folder cannot be written.
    """
    output = cache_folder(source, spec.name)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise home_error(output, error) from error
    job = PrepareJob(
        spec, source, output, num_workers=default_workers(), max_broken=max_broken, wait=True, removes_unlisted=True
    )
    report = prepare(job, lambda done, total, failed: progress(done / total))
    result = report.result
    if not report.is_acceptable:
        path, reason = next(iter(result.failed.items()), ("", ""))
        raise DatasetError(
            f"{source}: {len(result.failed)} of {len(result.failed) + len(result.done)} videos "
            f"cannot be used, for example {path}: {reason}; the whole list is {output / QUARANTINE_NAME}; "
            f"remove them, or accept a share with --set data.max_unreadable=0.1"
        )
    if not (output / SOURCE_NAME).exists():
        _write_known(source, output, _read_known(output))
    if report.num_transcoded:
        size = sum(file.stat().st_size for file in (output / VIDEOS_FOLDER).rglob("*.mp4"))
        logger.warning(
            "%s: its videos were transcoded into %s, %.2f GB in all; CDKD_HOME names another place for them",
            source, output, size / 1e9,
        )  # fmt: skip
    return output


def content_of(spec: DatasetSpec, source: Path) -> str:
    """The version of what lies in a folder at this moment: its classes, and each video's bytes, class, group and part.

    A file's bytes are read once; as long as its size and time of change stay, the digest that is kept beside the
    transcoded videos stands for them.

    Raises:
        DatasetError: it holds no videos of at least two classes, or a file cannot be read.
    """
    annotation = spec.read(source, 1)
    digests = _digests(source, cache_folder(source, spec.name), [video.path for video in annotation.videos])
    videos = [replace(video, digest=digests[video.path]) for video in annotation.videos]
    text = f"{content_version(annotation.classes, videos)} {TranscodeSettings().key}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _digests(source: Path, folder: Path, paths: Iterable[str]) -> dict[str, str]:
    """Path to digest; "" for a file that is not there. `folder` keeps them."""
    root = folder_root(source)
    stats = {path: _stat(f"{root}/{path}") for path in paths}
    known = _read_known(folder)
    fresh = [path for path, stat in stats.items() if stat and tuple(known.get(path, ())[:2]) != stat]
    try:
        with ThreadPoolExecutor(num_cores()) as pool:
            read = dict(zip(fresh, pool.map(lambda path: file_digest(root / path), fresh), strict=True))
    except OSError as error:
        raise DatasetError(f"{error.filename}: cannot be read: {error.strerror}") from error
    now = {path: (*stat, read[path] if path in read else known[path][2]) for path, stat in stats.items() if stat}
    if read or known.keys() - now.keys():
        _write_known(source, folder, now)
    return {path: now[path][2] if path in now else "" for path in stats}


def _stat(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    # Reading a pipe would wait for ever; `prepare` says what is no file.
    return (status.st_size, status.st_mtime_ns) if S_ISREG(status.st_mode) else None


def _read_known(folder: Path) -> dict[str, _Entry]:
    try:
        values: Any = json.loads((folder / SOURCE_NAME).read_text(encoding="utf-8"))
        return dict(values["files"]) if values["format"] == FORMAT else {}
    except FileNotFoundError:
        done = DoneLog(folder / WORK_FOLDER, "").finished
        return {f.path: (f.source_size, f.source_modified_ns, f.source_digest) for f in done}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write_known(source: Path, folder: Path, files: dict[str, _Entry]) -> None:
    """Two processes that write at once write the same; where nobody may write, the next one reads the files again."""
    values = {"format": FORMAT, "source": str(source.resolve()), "files": files}
    try:
        atomic_write(folder / SOURCE_NAME, json.dumps(values, separators=(",", ":")), is_synced=False)
    except OSError as error:
        logger.warning("%s: digests cannot be kept (%s); the next start reads all files again", folder, error)
