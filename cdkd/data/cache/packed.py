"""Opens the packed cache of a data set: clips as they come out of the decoder, read without one.

packed/p6-s1-t1-accumulated/       frames per GOP, the student's and the teacher's window, motion.reference[-residual];
                                   "every" instead of the three: all P-frames, for clips whose positions are drawn
    packed.json                    what it holds; written last, so that half a cache never looks finished
    entries.npy                    one row per GOP: shard, offset, size and form; memory-mapped
    shard-00000-0123456789ab.bin   the records of some videos, one after the other
    shard-00000-0123456789ab.json  that they are complete; of use to packing alone

From a clip to its bytes, for GOPs 1 and 2 of "walk.mp4":

    packed.json      videos         run.mp4   walk.mp4  wave.mp4
                     first_entries  0         3         6         8      rows of walk.mp4: 3 to 6
                                              |_________|
    entries.npy      gop            0  1  2   0  1  2   0  1             sorted by GOP, found by bisection
                     shard          0  0  0   0  0  1   1  1             a video's rows lie together, its bytes need not
                     offset         .  .  .   .  x  y   .  .
                                                 |  |
    shard-00000.bin  ...................[record]-'  |                    mapped: what is used as it is stored is not
    shard-00001.bin  [record]-----------------------'                    copied

A cache is addressed by what it holds, not by time: a video whose digest is not that of the manifest is not served, a
shard's name is a hash of what it was made of, so a shard of other videos is never taken for it.
"""

import json
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.data.cache.packed_record import RecordForm, StoredLayout, decode_gop
from cdkd.data.clips.clip import GopArrays
from cdkd.data.clips.sampling import ClipLayout, ClipSteps, merge_groups
from cdkd.data.clips.windows import gop_positions
from cdkd.data.manifest import LabelledVideo
from cdkd.errors import CdkdError
from cdkd.modality import DEFAULT_FORM, PFrameForm

PACKED_FOLDER = "packed"
EVERY = "every"
"""Beginning of the name of a cache of every P-frame."""
HEADER_NAME = "packed.json"
ENTRIES_NAME = "entries.npy"
FORMAT = 2
"""1 held residuals that were 0 in the blocks of P-frames that the codec did not predict."""

ENTRY = np.dtype(
    [
        ("gop", "<u4"),
        ("shard", "<u4"),
        ("offset", "<u8"),
        ("num_bytes", "<u8"),
        ("gop_length", "<u4"),
        ("height", "<u4"),
        ("width", "<u4"),
        ("motion_kind", "u1"),
        ("residual_kind", "u1"),
    ]
)


class PackedError(CdkdError):
    """A packed cache is missing, stale, damaged or made for another layout."""


def packed_folder(root: Path, layout: StoredLayout, form: PFrameForm) -> Path:
    """Where the cache of a layout lies."""
    windows = f"p{layout.frames_per_gop}-s{layout.student_window}-t{layout.teacher_window}"
    windows = windows if layout.frames_per_gop else EVERY
    residual = "" if form.residual is DEFAULT_FORM.residual else f"-{form.residual}"
    return root / PACKED_FOLDER / f"{windows}-{form.reference}{residual}"


def packing_remedy(root: Path, layout: StoredLayout, form: PFrameForm) -> str:
    """The command that makes a cache for a layout."""
    motion = "" if form.reference is DEFAULT_FORM.reference else f" --motion {form.reference}"
    residual = "" if form.residual is DEFAULT_FORM.residual else f" --residual {form.residual}"
    positions = (
        f"--frames-per-gop {layout.frames_per_gop} "
        f"--student-window {layout.student_window} --teacher-window {layout.teacher_window}"
    )
    positions = positions if layout.frames_per_gop else "--every-p-frame"
    return f"cdkd data cache --root {root} {positions}{motion}{residual}"


@dataclass(frozen=True, slots=True)
class PackedGop:
    """Where one GOP's record lies, and what it means; small enough to be sent to a worker process."""

    gop: int
    """Its number in the video."""
    shard: Path
    offset: int
    num_bytes: int
    form: RecordForm
    stored: StoredLayout

    def read(self, steps: tuple[int, ...], layout: ClipLayout) -> GopArrays:
        """The arrays of the GOP for some time steps, mapped from the file where they are stored as they are.

        Raises:
            PackedError: the file is gone or shorter than it was.
        """
        # A mapping begins at a multiple of the page size, a record anywhere.
        start = self.offset - self.offset % mmap.ALLOCATIONGRANULARITY
        length = self.offset + self.num_bytes - start
        try:
            with open(self.shard, "rb") as stream:
                # Copy on write: torch wants writable memory, and nobody's writing may reach the file.
                mapped = mmap.mmap(stream.fileno(), length, access=mmap.ACCESS_COPY, offset=start)
        except (OSError, ValueError) as error:
            raise PackedError(f"{self.shard}: cannot be read ({error}); the cache was damaged or made again") from error
        if hasattr(mapped, "madvise"):
            # The record is read from front to back at once: the kernel may fetch it while Python goes on.
            mapped.madvise(mmap.MADV_WILLNEED)
        data = np.frombuffer(mapped, np.uint8)[self.offset - start :]
        wants = gop_positions(self.form.gop_length, steps, layout.student_window, layout.teacher_window)
        return decode_gop(data, self.form, self.stored, self.gop, wants)


@dataclass(frozen=True)
class PackedCache:
    """A finished packed cache."""

    folder: Path
    layout: StoredLayout
    form: PFrameForm
    num_gops: int
    num_bytes: int
    broken: dict[str, str]
    """Path to reason of the videos that could not be decoded when it was made."""
    _digests: dict[str, str] = field(repr=False)
    _places: dict[str, int] = field(repr=False)
    _first_entries: Sequence[int] = field(repr=False)
    _shards: Sequence[str] = field(repr=False)
    _entries: NDArray[Any] = field(repr=False)

    def fits(self, layout: StoredLayout, form: PFrameForm) -> bool:
        """Every position that the layout holds is here."""
        return self.form == form and self.layout.holds(layout)

    def fault(self, videos: Sequence[LabelledVideo]) -> str:
        """Why it cannot serve these videos; empty: it can."""
        absent = [video.path for video in videos if video.path not in self._digests]
        if absent:
            return f"does not hold {len(absent)} of {len(videos)} videos, for example {absent[0]}"
        changed = [video.path for video in videos if self._digests[video.path] != video.digest]
        if changed:
            return f"is stale: {len(changed)} of {len(videos)} videos have changed since, for example {changed[0]}"
        return ""

    def find(self, path: str, steps: ClipSteps) -> tuple[PackedGop, ...]:
        """The records of a clip's GOPs, each once, of a video that it holds.

        Raises:
            PackedError: a GOP is not here.
        """
        place = self._places[path]
        # A slice of a memory-mapped array: of the whole table only the pages of this video are read.
        rows = self._entries[self._first_entries[place] : self._first_entries[place + 1]]
        return tuple(self._find(path, rows, part.gop) for part in merge_groups(steps))

    def _find(self, path: str, rows: NDArray[Any], gop: int) -> PackedGop:
        # `searchsorted` answers for absent numbers too, with the place where they would stand.
        at = int(np.searchsorted(rows["gop"], gop))
        if at == len(rows) or rows["gop"][at] != gop:
            raise PackedError(f"{self.folder}: does not hold GOP {gop} of {path}; delete the folder and make it again")
        # Python's own integers, since numpy's would be pickled with their type for every request that goes to a worker.
        row = rows[at].tolist()
        # The order of ENTRY's fields: gop, shard, offset, num_bytes, then those of `RecordForm`.
        form = RecordForm(*row[4:])
        return PackedGop(gop, self.folder / self._shards[row[1]], row[2], row[3], form, self.layout)


def read_cache(folder: Path) -> PackedCache:
    """Opens one cache.

    Raises:
        PackedError: it is missing, unfinished, damaged, or of another version.
    """
    path = folder / HEADER_NAME
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PackedError(f"{folder}: is not finished") from error
    except (OSError, ValueError) as error:
        raise PackedError(f"{path}: cannot be read: {error}") from error
    try:
        # Asked before anything else is read: another format may lack any of the keys below.
        if header["format"] != FORMAT:
            raise PackedError(
                f"{folder}: format {header['format']}, this version reads {FORMAT}; make it again: cdkd data cache"
            )
        videos = header["videos"]
        cache = PackedCache(
            folder=folder,
            layout=StoredLayout(**header["layout"]),
            form=PFrameForm.named(header["motion"], header["residual"]),
            num_gops=header["num_gops"],
            num_bytes=header["num_bytes"],
            broken=header["broken"],
            _digests=dict(videos),
            _places={path: place for place, (path, _) in enumerate(videos)},
            _first_entries=header["first_entries"],
            _shards=header["shards"],
            _entries=np.load(folder / ENTRIES_NAME, mmap_mode="r"),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PackedError(f"{folder}: is damaged ({error!r}); delete it and make it again") from error
    # The two files are renamed one after the other, so a copy of the folder may hold one of each of two caches.
    if cache.num_gops != len(cache._entries) or cache._entries.dtype != ENTRY:
        raise PackedError(f"{folder}: is damaged: {ENTRIES_NAME} and {HEADER_NAME} differ; delete it and make it again")
    return cache


def find_cache(
    root: Path, videos: Sequence[LabelledVideo], layout: StoredLayout, form: PFrameForm
) -> tuple[PackedCache | None, str]:
    """The cache that serves these videos, or why none does (empty: there is none at all)."""
    reasons: list[str] = []
    # Every cache is asked, not only the one named after the layout: a wider window serves a narrower one too, and
    # every P-frame serves all; those records are the largest, and come last.
    for header in sorted((root / PACKED_FOLDER).glob("*/"), key=lambda place: (place.name.startswith(EVERY), place)):
        try:
            cache = read_cache(header)
        except PackedError as error:
            reasons.append(str(error))
            continue
        if not cache.fits(layout, form):
            reasons.append(f"{cache.folder}: is made for another layout, or other motion and residual")
            continue
        fault = cache.fault(videos)
        if not fault:
            return cache, ""
        reasons.append(f"{cache.folder}: {fault}")
    return None, "; ".join(reasons)
