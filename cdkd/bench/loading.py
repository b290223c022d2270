"""How fast clips come from video, from the packed cache and from memory, as ratios in one run."""

import os
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cdkd.bench.reader import write_sample
from cdkd.data.cache.packed_record import StoredLayout
from cdkd.data.cache.packing import PackJob, pack
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.loading.dataset import CachePolicy, ClipDataset
from cdkd.data.manifest import LabelledVideo, Manifest, make_manifest, read_manifest, split_numbers

_WAYS: dict[str, CachePolicy] = {"video": "off", "packed cache": "packed", "memory": "memory"}


@dataclass(frozen=True)
class LoadingSettings:
    """What is measured."""

    num_videos: int = 4
    clips_per_video: int = 8
    batch_size: int = 8
    num_workers: int = 0
    repeats: int = 5
    stored: StoredLayout = field(default_factory=lambda: StoredLayout(6))
    layout: ClipLayout = field(default_factory=lambda: ClipLayout(1, 6, sampling="gops"))


@dataclass(frozen=True)
class Row:
    """One place that clips come from."""

    way: str
    clips_per_second: float
    """Median over the repeats, by the clock on the wall."""
    ratio: float
    """To reading the videos."""


@dataclass(frozen=True)
class LoadingReport:
    """What was found."""

    num_clips: int
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    rows: tuple[Row, ...]
    video_bytes_per_thousand_clips: float
    """Of the video files, if each GOP is a clip."""
    packed_bytes_per_thousand_clips: float
    memory_bytes_per_thousand_clips: float
    packed_clips_per_second: float
    """GOPs packed per second while the cache was made, by one process."""


def measure_loading(work: Path, settings: LoadingSettings, root: Path | None = None) -> LoadingReport:
    """Makes a cache of some videos in an empty folder and reads their clips in every way.

    Args:
        work: gets links to the videos, and the cache.
        settings: how many and how often.
        root: a prepared data set, whose first videos are read; None: videos of 320 x 256 pixels are made.

    Raises:
        DatasetError, PackedError, VideoError: the data set cannot be read, or the cache not be written.
    """
    manifest = _link_videos(work, root, settings.num_videos) if root else _make_videos(work, settings.num_videos)
    started = time.perf_counter()
    cache = pack(PackJob((manifest,), settings.stored)).cache
    seconds = time.perf_counter() - started
    sources = {name: _source(manifest, settings, policy) for name, policy in _WAYS.items()}
    batch = next(iter(sources["video"].view_batches(0, 1, 1)))
    rates = _measure(sources, settings)
    video_bytes = sum((work / video.path).stat().st_size for video in manifest.videos)
    return LoadingReport(
        num_clips=len(manifest.videos) * settings.clips_per_video,
        width=batch.iframes.shape[-1],
        height=batch.iframes.shape[-2],
        rows=tuple(Row(name, rate, rate / rates["video"]) for name, rate in rates.items()),
        video_bytes_per_thousand_clips=1000 * video_bytes / cache.num_gops,
        packed_bytes_per_thousand_clips=1000 * cache.num_bytes / cache.num_gops,
        memory_bytes_per_thousand_clips=1000.0 * batch.num_bytes,
        packed_clips_per_second=cache.num_gops / seconds,
    )


def _link_videos(work: Path, root: Path, num_videos: int) -> Manifest:
    manifest = read_manifest(root, split_numbers(root)[0])
    used = [video for video in manifest.videos if video.part != "unused"][:num_videos]
    videos = [replace(video, part="test") for video in used]
    for video in videos:
        (work / video.path).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(manifest.file(video).resolve(), work / video.path)
    return make_manifest(manifest.name, work, manifest.classes, videos, manifest.settings)


def _make_videos(work: Path, num_videos: int) -> Manifest:
    names = [f"{number}.mp4" for number in range(num_videos)]
    write_sample(work / names[0])
    for name in names[1:]:
        shutil.copyfile(work / names[0], work / name)
    videos = [LabelledVideo(name, 0, "", "test", "sample") for name in names]
    return make_manifest("folder", work, ("sample",), videos, {})


def _source(manifest: Manifest, settings: LoadingSettings, policy: CachePolicy) -> ClipDataset:
    return ClipDataset(manifest, "test", settings.layout, num_workers=settings.num_workers, cache=policy)


def _measure(sources: dict[str, ClipDataset], settings: LoadingSettings) -> dict[str, float]:
    """Clips per second of each source; they take turns, so that a busy moment hits them all."""
    seconds: dict[str, list[float]] = {name: [] for name in sources}
    for repeat in range(settings.repeats + 1):
        for name, source in sources.items():
            started = time.perf_counter()
            num_clips = _read_all(source, range(settings.clips_per_video), settings)
            # The first turn fills memory and the system's file cache.
            if repeat:
                seconds[name].append((time.perf_counter() - started) / num_clips)
    return {name: 1 / statistics.median(values) for name, values in seconds.items()}


def _read_all(source: ClipDataset, views: Sequence[int], settings: LoadingSettings) -> int:
    return sum(
        len(batch.labels)
        for view in views
        for batch in source.view_batches(view, settings.clips_per_video, settings.batch_size)
    )
