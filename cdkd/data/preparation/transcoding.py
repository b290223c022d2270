"""Transcodes many videos in worker processes and tells what became of each."""

import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from cdkd.data.manifest import DatasetError, file_digest
from cdkd.data.preparation.done_log import Finished
from cdkd.process_pool import Killed, map_deadly

MIN_FRAMES = 2
"""A video of a single frame has no motion."""


@dataclass(frozen=True)
class TranscodeSettings:
    """What every video of a prepared data set looks like."""

    width: int = 320
    """Pixels."""
    height: int = 256
    """Pixels."""
    gop_length: int = 12
    """Frames from one I-frame to the next."""
    quantiser: int = 3
    """1 (finest) to 31."""

    @property
    def key(self) -> str:
        """Equal for equal settings."""
        return " ".join(f"{name}={value}" for name, value in asdict(self).items())


@dataclass(frozen=True)
class TranscodeTask:
    """One video to transcode."""

    path: str
    """As published."""
    source: Path
    target: Path
    work: Path
    """Where the target is made before it gets its name; on the same file system."""


@dataclass(frozen=True)
class Failed:
    """A video that cannot be used, and why."""

    path: str
    reason: str


class DiskFullError(DatasetError):
    """No space is left where the videos go; retrying other videos is pointless."""


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from, says that no space is left."""
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            return True
        # A full disk comes wrapped in FFmpeg's or our own error, whose cause it is.
        error = error.__cause__ or error.__context__
    return False


def disk_full_error(folder: Path) -> DiskFullError:
    """A ready error for a folder."""
    return DiskFullError(
        f"{folder}: no space left on the device; free some or choose another --output, then run the command again: "
        f"finished videos are kept"
    )


def is_up_to_date(task: TranscodeTask, settings: TranscodeSettings, known: Finished | None) -> bool:
    """The target was made from this very source file with these settings; judged by sizes and time, reads no data."""
    if known is None or known.settings != settings.key or _size(task.target) != known.target_size:
        return False
    source = task.source.stat()
    return (source.st_size, source.st_mtime_ns) == (known.source_size, known.source_modified_ns)


def transcode_one(task: TranscodeTask, settings: TranscodeSettings, known: Finished | None) -> Finished | Failed:
    """Makes one target unless it was made from the same bytes before.

    Raises:
        DiskFullError: the target's disk is full.
    """
    from cdkd.video.frames import VideoError

    try:
        status = task.source.stat()
        # Where size or time differ the bytes may still be the same, as of a file that was copied or unpacked again.
        source_digest = file_digest(task.source)
        is_same = known is not None and (known.settings, known.source_digest) == (settings.key, source_digest)
        if known is not None and is_same and _size(task.target) == known.target_size:
            num_frames, target_digest = known.num_frames, known.target_digest
        else:
            num_frames, target_digest = _make(task, settings)
        size = task.target.stat().st_size
    # A broken video is an outcome and no error: one of thousands must not stop the others. A full disk would break
    # every one that follows, so that is an error.
    except (VideoError, OSError) as error:
        if is_disk_full(error):
            raise disk_full_error(task.target.parent) from error
        return Failed(task.path, str(error))
    return Finished(
        task.path, settings.key, status.st_size, status.st_mtime_ns, source_digest, size, target_digest, num_frames
    )


def _make(task: TranscodeTask, settings: TranscodeSettings) -> tuple[int, str]:
    """Number of frames and digest of the new target."""
    from cdkd.video.transcode import transcode

    num_frames = transcode(task.source, task.work, must_be_whole=True, least_frames=MIN_FRAMES, **asdict(settings))
    digest = file_digest(task.work)
    task.target.parent.mkdir(parents=True, exist_ok=True)
    # 2 of `prepare.py`: a rename within one file system, so the name never shows a part of a video.
    os.replace(task.work, task.target)
    return num_frames, digest


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def transcode_all(
    tasks: Iterable[tuple[TranscodeTask, Finished | None]], settings: TranscodeSettings, num_workers: int
) -> Iterator[Finished | Failed]:
    """Makes every target in `num_workers` processes; results come as they are ready.

    A video that kills its process (a crash inside the decoder, no memory) counts as failed; the others go on.

    Args:
        tasks: each with what is known of an earlier transcoding.
        settings: of all of them.
        num_workers: processes.

    Raises:
        DiskFullError: from the first task that met it; tasks not yet begun are dropped.
    """
    for outcome in map_deadly(partial(_transcode, settings), tasks, num_workers):
        if isinstance(outcome, Killed):
            task, _ = outcome.item
            yield Failed(task.path, f"{task.source}: decoding it killed the process")
        else:
            yield outcome


def _transcode(settings: TranscodeSettings, item: tuple[TranscodeTask, Finished | None]) -> Finished | Failed:
    return transcode_one(item[0], settings, item[1])
