"""Makes the packed cache of a prepared data set, in shards, so that a killed run goes on where it stopped.

Writes in their order, and what is there after a crash behind each of them:

    1. packed.json removed, if any shard is to be made or to go     unfinished: nobody reads what changes now
    2. shards of other videos removed                               unfinished
    3. shard-N.bin written, then flushed to the disk                it has no description, so it is made again
    4. shard-N.json put in place                                    this shard is kept by the next run
       ... 3 and 4 for every missing shard, in several processes
    5. entries.npy put in place                                     unfinished: the next run keeps every shard
    6. packed.json put in place                                     finished

"Put in place" is a rename of a whole file (`atomic_write`). One process at a time packs into a folder, under a lock
that its death gives back. Who reads an old cache meanwhile keeps the files that it has mapped; what it opens anew is
gone, which is an error that says so, and never other bytes.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cdkd.atomic_write import atomic_file, atomic_write
from cdkd.data.cache.gop_index import GopLengths, index_gops
from cdkd.data.cache.packed import (
    ENTRIES_NAME,
    ENTRY,
    FORMAT,
    HEADER_NAME,
    PackedCache,
    PackedError,
    packed_folder,
    read_cache,
)
from cdkd.data.cache.packed_record import StoredLayout, encode_gop
from cdkd.data.clips.sampling import usable_gops
from cdkd.data.manifest import PARTS, LabelledVideo, Manifest, Part
from cdkd.data.preparation.prepare import ProgressCallback, silent
from cdkd.data.preparation.transcoding import is_disk_full
from cdkd.file_lock import FileLock
from cdkd.modality import DEFAULT_FORM, PFrameForm
from cdkd.process_pool import map_in_processes
from cdkd.video.frames import VideoError
from cdkd.video.reader import VideoReader

GOPS_PER_SHARD = 128
"""About half a gigabyte at 320 x 256 pixels."""


@dataclass(frozen=True)
class PackJob:
    """What to pack."""

    splits: tuple[Manifest, ...]
    """One data set under one or more of its official splits."""
    layout: StoredLayout
    form: PFrameForm = DEFAULT_FORM
    parts: tuple[Part, ...] = ()
    """A video is packed where it belongs to one of them in any of the splits; empty: where it is used at all."""
    num_workers: int = 1
    gops_per_shard: int = GOPS_PER_SHARD

    @property
    def root(self) -> Path:
        """What the videos' paths are relative to."""
        return self.splits[0].root

    @property
    def videos(self) -> tuple[LabelledVideo, ...]:
        """Those to pack, ordered by path."""
        wanted = self.parts or tuple(part for part in PARTS if part != "unused")
        rows = zip(*(manifest.videos for manifest in self.splits), strict=True)
        # All splits list the same videos in the same order, so one row of each is one video.
        return tuple(row[0] for row in rows if any(video.part in wanted for video in row))


@dataclass(frozen=True)
class PackReport:
    """What packing did."""

    cache: PackedCache
    num_videos: int
    num_kept_shards: int
    """Shards that an earlier run had finished."""
    num_shards: int

    @property
    def bytes_per_thousand_gops(self) -> float:
        """What 1,000 clips of one GOP take."""
        return 1000 * self.cache.num_bytes / max(self.cache.num_gops, 1)


@dataclass(frozen=True)
class CacheShard:
    """The work of one shard, as a worker process gets it."""

    folder: Path
    number: int
    root: Path
    videos: tuple[tuple[str, str], ...]
    """Path and digest."""
    gop_lengths: tuple[tuple[int, ...], ...]
    layout: StoredLayout
    form: PFrameForm

    @property
    def name(self) -> str:
        """Says what is inside: a shard made of other videos has another name."""
        digest = hashlib.sha256(json.dumps([FORMAT, self.videos, self.gop_lengths]).encode()).hexdigest()[:12]
        return f"shard-{self.number:05d}-{digest}"


@dataclass(frozen=True)
class _Done:
    """What became of a shard; kept beside it as JSON."""

    num_bytes: int
    entries: list[list[list[int]]]
    """Of each video, of each GOP: the fields of ENTRY but the shard's number."""
    broken: dict[str, str]


def pack(job: PackJob, progress: ProgressCallback = silent) -> PackReport:
    """Decodes every usable GOP once and keeps what training reads of it; shards that are finished are kept.

    Raises:
        PackedError: nothing to pack, no digests, no space, another process is packing, or the folder cannot be written.
        WorkerError: a worker process was killed.
    """
    folder = packed_folder(job.root, job.layout, job.form)
    try:
        lock = FileLock(folder / "packing.lock")
        if not lock.acquire():
            raise PackedError(f"{folder}: another process is making this cache; wait for its end")
        try:
            return _pack_locked(job, folder, progress)
        finally:
            lock.release()
    except OSError as error:
        if is_disk_full(error):
            raise PackedError(
                f"{folder}: no space left on the device; free some or pack fewer --part, then run the command again: "
                f"finished shards are kept"
            ) from error
        raise PackedError(f"{folder}: cannot be written: {error}") from error


def _pack_locked(job: PackJob, folder: Path, progress: ProgressCallback) -> PackReport:
    shards, broken = _divide(job, folder)
    names = {f"{shard.name}{suffix}" for shard in shards for suffix in (".bin", ".json")}
    missing = [shard for shard in shards if _read_done(shard) is None]
    # Of other videos, or half written by a run that was killed.
    foreign = [path for path in folder.glob("shard-*") if path.name not in names]
    # 1 and 2 of the order of writes above
    if missing or foreign:
        (folder / HEADER_NAME).unlink(missing_ok=True)
    for path in foreign:
        path.unlink()
    _refuse_without_space(folder, missing)
    total = sum(len(shard.videos) for shard in shards) + len(broken)
    finished = total - sum(len(shard.videos) for shard in missing)
    progress(finished, total, len(broken))
    # 3 and 4, in the workers
    for shard, done in zip(missing, map_in_processes(_make_shard, missing, job.num_workers), strict=True):
        finished += len(shard.videos)
        broken.update(done.broken)
        progress(finished, total, len(broken))
    # 5 and 6
    _write_index(job, folder, shards, broken)
    return PackReport(read_cache(folder), total, len(shards) - len(missing), len(shards))


def _divide(job: PackJob, folder: Path) -> tuple[list[CacheShard], dict[str, str]]:
    """The shards, and the videos that cannot be read with their reason."""
    wanted = job.videos
    if not wanted:
        raise PackedError(f"{job.root}: holds no videos of the part {', '.join(job.parts) or 'that is used'}")
    if without := [video.path for video in wanted if not video.digest]:
        raise PackedError(
            f"{job.root}: {without[0]} has no digest in the manifest, so nobody could tell a stale cache; "
            f"prepare the data set again: cdkd data prepare"
        )
    broken: dict[str, str] = {}
    shards: list[CacheShard] = []
    videos: list[tuple[str, str]] = []
    lengths: list[tuple[int, ...]] = []

    def close() -> None:
        shard = CacheShard(folder, len(shards), job.root, tuple(videos), tuple(lengths), job.layout, job.form)
        shards.append(shard)
        videos.clear()
        lengths.clear()

    found = index_gops(job.root, [video.path for video in wanted], job.num_workers)
    for video, known in zip(wanted, found, strict=True):
        if reason := _unsupported_reason(known, job):
            broken[video.path] = reason
        elif isinstance(known, GopLengths):
            videos.append((video.path, video.digest))
            lengths.append(known.lengths)
            # Whole videos alone: a shard may be larger than asked by the last one's GOPs.
            if sum(map(len, lengths)) >= job.gops_per_shard:
                close()
    if videos:
        close()
    return shards, broken


def _unsupported_reason(known: GopLengths | VideoError, job: PackJob) -> str:
    if isinstance(known, VideoError):
        return known.reason
    if not usable_gops(known.lengths, job.layout.least_p_frames):
        return f"no GOP of at least {job.layout.least_p_frames + 1} frames"
    return known.unsupported_reason(job.form)


def _refuse_without_space(folder: Path, missing: Sequence[CacheShard]) -> None:
    """Before hours of work rather than after them."""
    if not missing:
        return
    with VideoReader(missing[0].root / missing[0].videos[0][0]) as reader:
        num_pixels = reader.info.width * reader.info.height
    needed = 0
    for shard in missing:
        for gop_lengths in shard.gop_lengths:
            for length in usable_gops(gop_lengths, shard.layout.least_p_frames).lengths:
                num_motion, num_frames = len(shard.layout.motion(length)), len(shard.layout.frames(length))
                # Bytes per pixel: 2 of motion at one byte each, 3 of prediction; 3 of each frame. The first video's
                # size stands for all: the GOP index keeps no sizes, and prepared videos are of one.
                needed += num_pixels * (5 * num_motion + 3 * num_frames)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise PackedError(
            f"{folder}: needs about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; "
            f"pack one part only (--part), fewer frames per GOP, or free some space"
        )


def _make_shard(shard: CacheShard) -> _Done:
    """Writes the records, then the description that says they are complete."""
    target = shard.folder / f"{shard.name}.bin"
    entries: list[list[list[int]]] = []
    broken: dict[str, str] = {}
    # 3
    with open(target, "wb") as stream:
        for (path, _), lengths in zip(shard.videos, shard.gop_lengths, strict=True):
            start = stream.tell()
            try:
                entries.append(_write_video(stream, shard, shard.root / path, lengths))
            except VideoError as error:
                # What was written of it goes, so that the next record begins where this one did.
                stream.seek(start)
                stream.truncate()
                entries.append([])
                broken[path] = error.reason
        num_bytes = stream.tell()
        # On the disk before 4 says so: after a power failure the description must not outlive what it describes.
        stream.flush()
        os.fsync(stream.fileno())
    # 4: the size stands in it, so that a file that was cut off later is noticed, too.
    done = _Done(num_bytes, entries, broken)
    atomic_write(target.with_suffix(".json"), json.dumps(asdict(done)))
    return done


def _write_video(stream: Any, shard: CacheShard, path: Path, lengths: tuple[int, ...]) -> list[list[int]]:
    rows: list[list[int]] = []
    with VideoReader(path) as reader:
        for gop in usable_gops(lengths, shard.layout.least_p_frames).numbers:
            motion, frames = shard.layout.motion(lengths[gop]), shard.layout.frames(lengths[gop])
            read = reader.read_gop(gop, motion, frames, shard.form.reference, shard.form.residual)
            data, form = encode_gop(read, lengths[gop])
            rows.append([gop, stream.tell(), len(data), *asdict(form).values()])
            stream.write(data)
    return rows


def _read_done(shard: CacheShard) -> _Done | None:
    """A finished shard's description; None where it has to be made."""
    target = shard.folder / f"{shard.name}.bin"
    try:
        values = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))
        return _Done(**values) if target.stat().st_size == values["num_bytes"] else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _write_index(job: PackJob, folder: Path, shards: Sequence[CacheShard], broken: dict[str, str]) -> None:
    videos = [list(video) for shard in shards for video in shard.videos]
    rows: list[tuple[int, ...]] = []
    first_entries = [0]
    num_bytes = 0
    for shard in shards:
        done = _read_done(shard)
        if done is None:
            raise PackedError(f"{folder}: {shard.name} has vanished while the cache was made")
        broken.update(done.broken)
        num_bytes += done.num_bytes
        for entries in done.entries:
            # One video's rows, ordered by GOP as they were packed; `first_entries` says where the next one's begin.
            rows += [(gop, shard.number, *rest) for gop, *rest in entries]
            first_entries.append(len(rows))
    digests = {video.path: video.digest for video in job.videos}
    known = {path for path, _ in videos}
    # Videos that never came into a shard are listed without rows: "broken" is another answer than "not packed".
    for path in sorted(broken.keys() - known):
        videos.append([path, digests[path]])
        first_entries.append(len(rows))
    # 5
    with atomic_file(folder / ENTRIES_NAME) as temporary, open(temporary, "wb") as stream:
        np.save(stream, np.array(rows, dtype=ENTRY))
    # 6: a record is one GOP, so a cache serves clips of any number of them.
    header = {
        "format": FORMAT,
        "dataset": job.splits[0].name,
        "dataset_versions": [manifest.version for manifest in job.splits],
        "layout": asdict(job.layout),
        "motion": job.form.reference.value,
        "residual": job.form.residual.value,
        "num_gops": len(rows),
        "num_bytes": num_bytes,
        "broken": broken,
        "shards": [f"{shard.name}.bin" for shard in shards],
        "first_entries": first_entries,
        "videos": videos,
    }
    atomic_write(folder / HEADER_NAME, json.dumps(header, separators=(",", ":")))
