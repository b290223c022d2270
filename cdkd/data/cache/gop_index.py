"""How long the GOPs of a data set's videos are, kept in one file beside them, so that a second start opens no video.

`gop_lengths.json` holds of each path its size, time of change, GOP lengths, and why per-frame residuals cannot be read
(empty: they can). A file of another size or time is opened again; what could not be read is tried again each time.

    {"format": N, "videos": {"videos/a.mp4": [81234, 1700000000000000000, "12*3 7", ""]}}

Opening a video takes milliseconds (7 for one of 240 frames), looking at its size and time 10 microseconds: with 240,000
videos that is half an hour against seconds at every start. The file is replaced as a whole, every 10,000 videos and
at the end, so a kill loses no more than those.
"""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from cdkd.atomic_write import atomic_write
from cdkd.data.home import cdkd_home
from cdkd.modality import MotionReference, PFrameForm, ResidualKind
from cdkd.process_pool import map_in_processes
from cdkd.video.frames import VideoError
from cdkd.video.reader import describe

logger = logging.getLogger(__name__)

INDEX_NAME = "gop_lengths.json"
FORMAT = 2
"""1 listed files that end too early."""
_CHUNK = 250
_CHUNKS_PER_WRITE = 40


@dataclass(frozen=True, slots=True)
class GopLengths:
    """What a clip's choice must know of a video."""

    lengths: tuple[int, ...]
    """Frames of each GOP; videos of equal lengths share one tuple."""
    frame_residual_unsupported_reason: str
    """Why exact residuals relative to the frame before cannot be read; empty: they can."""

    def unsupported_reason(self, form: PFrameForm) -> str:
        """Why such motion and residuals cannot be read; empty: they can."""
        is_affected = form == PFrameForm(MotionReference.FRAME_BEFORE, ResidualKind.EXACT)
        return self.frame_residual_unsupported_reason if is_affected else ""


_Entry = tuple[int, int, str, str]
"""Size in bytes, time of change in nanoseconds, GOP lengths as text, unsupported_reason."""


def index_gops(root: Path, paths: Sequence[str], num_workers: int = 1) -> list[GopLengths | VideoError]:
    """The GOP lengths of each of some videos, or why it cannot be read; opens only those not known yet.

    Args:
        root: what the paths are relative to; its index file is read, and written where something is new.
        num_workers: processes that open videos, where there are many.
    """
    known = _read_index(root)
    # A text instead of a `Path`: one object less for each of hundreds of thousands of files.
    stats = [_stat(f"{root}/{path}") for path in paths]
    unknown = [
        path for path, stat in zip(paths, stats, strict=True)
        if not isinstance(stat, str) and tuple(known.get(path, ())[:2]) != stat
    ]  # fmt: skip
    errors = _open_unknown(root, unknown, known, num_workers)
    found: list[GopLengths | VideoError] = []
    for path, stat in zip(paths, stats, strict=True):
        if isinstance(stat, str):
            found.append(VideoError(root / path, f"cannot be read: {stat}"))
        elif path in errors:
            found.append(errors[path])
        else:
            entry = known[path]
            found.append(GopLengths(_parse(entry[2]), entry[3]))
    return found


def _stat(path: str) -> tuple[int, int] | str:
    """Size and time of change, or why there are none."""
    try:
        status = os.stat(path)
    except OSError as error:
        return error.strerror or str(error)
    return status.st_size, status.st_mtime_ns


def _open_unknown(
    root: Path, unknown: Sequence[str], known: dict[str, _Entry], num_workers: int
) -> dict[str, VideoError]:
    """Adds to `known`, writes the index now and then, and returns what could not be read."""
    chunks = [(root, tuple(unknown[i : i + _CHUNK])) for i in range(0, len(unknown), _CHUNK)]
    errors: dict[str, VideoError] = {}
    fresh: dict[str, _Entry] = {}
    for number, results in enumerate(map_in_processes(_open_chunk, chunks, num_workers), start=1):
        for path, result in results:
            if isinstance(result, VideoError):
                errors[path] = result
            else:
                fresh[path] = result
        # The whole file is written each time, so not after every chunk: that would be quadratic in the videos.
        if number % _CHUNKS_PER_WRITE == 0 or number == len(chunks):
            _write_index(root, fresh)
    known.update(fresh)
    return errors


def _open_chunk(chunk: tuple[Path, tuple[str, ...]]) -> list[tuple[str, _Entry | VideoError]]:
    root, paths = chunk
    return [(path, _open(root / path)) for path in paths]


def _open(path: Path) -> _Entry | VideoError:
    try:
        # Before it is opened: a file that changes meanwhile is kept under its old time, and opened again next time.
        status = os.stat(path)
        info = describe(path)
    except OSError as error:
        return VideoError(path, f"cannot be read: {error.strerror}")
    except VideoError as error:
        return error
    if info.unsupported_reason:
        return VideoError(path, info.unsupported_reason)
    if info.has_b_frames:
        return VideoError(path, "has B-frames, so clips lack P-frames; re-encode it with `cdkd data prepare`")
    return status.st_size, status.st_mtime_ns, _format(info.gop_lengths), info.frame_residual_unsupported_reason


def _format(lengths: Sequence[int]) -> str:
    """12, 12, 12, 7 -> "12*3 7": most videos of a data set share few such texts."""
    runs = ((length, len(list(group))) for length, group in groupby(lengths))
    return " ".join(f"{length}*{count}" if count > 1 else str(length) for length, count in runs)


# Equal texts give one tuple, which is how videos of equal lengths come to share it.
@lru_cache(maxsize=65536)
def _parse(text: str) -> tuple[int, ...]:
    lengths: list[int] = []
    for run in text.split():
        length, _, count = run.partition("*")
        lengths += [int(length)] * int(count or 1)
    return tuple(lengths)


def _places(root: Path) -> tuple[Path, Path]:
    """Beside the videos, or in the user's cache folder where nobody may write there."""
    digest = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:12]
    return root / INDEX_NAME, cdkd_home() / "gop_lengths" / f"{digest}.json"


def _read_index(root: Path) -> dict[str, _Entry]:
    known: dict[str, _Entry] = {}
    for place in _places(root):
        try:
            values: Any = json.loads(place.read_text(encoding="utf-8"))
            if values["format"] == FORMAT:
                known.update(values["videos"])
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("%s: cannot be read (%s); the videos are opened again", place, error)
    return known


def _write_index(root: Path, fresh: dict[str, _Entry]) -> None:
    """Adds entries to what is there. Of two processes that write at once one may lose its entries: they are found
    again at the next start, so nobody has to wait for a lock."""
    if not fresh:
        return
    text = json.dumps({"format": FORMAT, "videos": {**_read_index(root), **fresh}}, separators=(",", ":"))
    for place in _places(root):
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(place, text)
            return
        except OSError as error:
            reason = error
    logger.warning("%s: GOP lengths cannot be kept (%s); the next start opens its videos again", root, reason)
