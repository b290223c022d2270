"""Batches of clips of one part of a data set, in an order that (seed, epoch) alone decides."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from cdkd.data.clips import ClipBatch, join_clips, read_clip
from cdkd.data.manifest import LabelledVideo
from cdkd.data.sampling import ClipLayout, training_gops, usable_gops, view_gops
from cdkd.errors import CdkdError
from cdkd.seeding import derive_seed
from cdkd.video.frames import VideoError
from cdkd.video.reader import VideoReader

CACHE_LIMIT_BYTES = 2 << 30


class UnreadableError(CdkdError):
    """More videos of a part are unreadable than the configuration accepts."""


@dataclass(frozen=True)
class _Request:
    """One clip to read: the video's place in the part, its GOPs."""

    video: int
    gops: tuple[int, ...]


class _ClipReader(Dataset[ClipBatch]):
    """Reads a request's clip; `requests` are the indices, so that workers know nothing of epochs."""

    def __init__(self, part: "ClipSource") -> None:
        self._part = part

    def __getitem__(self, request: _Request) -> ClipBatch:
        return self._part.read(request)


@dataclass
class ClipSource:
    """The readable videos of one part of a data set, and how clips are cut from them."""

    root: Path
    videos: Sequence[LabelledVideo]
    layout: ClipLayout
    accumulated: bool = True
    num_workers: int = 0
    keep_in_memory: bool = True
    _gops: list[tuple[int, ...]] = field(default_factory=list, repr=False)
    _cache: dict[_Request, ClipBatch] = field(default_factory=dict, repr=False)
    _cached_bytes: int = 0

    def __len__(self) -> int:
        return len(self.videos)

    def scan(self, max_unreadable: float, warn: Callable[[str], None]) -> "ClipSource":
        """The same part without its unreadable videos, each of which is reported through `warn`.

        Raises:
            UnreadableError: their share exceeds `max_unreadable`.
        """
        readable, gops, problems = [], [], []
        for video in self.videos:
            try:
                with VideoReader(self.root / video.path) as reader:
                    usable = usable_gops(reader.info.gop_lengths, self.layout.frames_per_gop)
                if not usable:
                    needed = self.layout.frames_per_gop + 1
                    raise VideoError(self.root / video.path, f"no GOP of at least {needed} frames")
            except VideoError as error:
                problems.append(str(error))
                continue
            readable.append(video)
            gops.append(usable)
        if len(problems) > max_unreadable * len(self.videos):
            listed = "\n  ".join(problems[:10]) + (f"\n  and {len(problems) - 10} more" if len(problems) > 10 else "")
            raise UnreadableError(
                f"{self.root}: {len(problems)} of {len(self.videos)} videos cannot be used "
                f"(data.max_unreadable accepts a share of {max_unreadable:g}); repair or remove them, "
                f"or raise data.max_unreadable:\n  {listed}"
            )
        for problem in problems:
            warn(f"left out: {problem}")
        return ClipSource(
            self.root, readable, self.layout, self.accumulated, self.num_workers, self.keep_in_memory, _gops=gops
        )

    def read(self, request: _Request) -> ClipBatch:
        """The request's clip, from memory where it was read before."""
        if request in self._cache:
            return self._cache[request]
        video = self.videos[request.video]
        path = self.root / video.path
        clip = read_clip(path, request.gops, self.layout, self.accumulated, video.label, request.video)
        if self.keep_in_memory and self._cached_bytes + clip.num_bytes <= CACHE_LIMIT_BYTES:
            self._cache[request] = clip
            self._cached_bytes += clip.num_bytes
        return clip

    def training_batches(self, seed: int, epoch: int, batch_size: int, rank: int = 0, world: int = 1) -> "Batches":
        """One epoch in random order, the incomplete last batch left out unless it is the only one.

        With `world` processes each takes every world-th clip of a batch of batch_size * world.
        """
        order = np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(len(self))
        whole = batch_size * world
        size = max(len(order) // whole, 1) * whole
        requests = []
        for video in order[:size].tolist():
            generator = np.random.default_rng(derive_seed(seed, "gops", epoch, video))
            requests.append(_Request(video, training_gops(self._gops[video], self.layout.num_gops, generator)))
        return Batches(self, requests[rank::world], batch_size)

    def view_batches(self, view: int, num_views: int, batch_size: int) -> "Batches":
        """All videos in order, each with the GOPs of test clip `view` of `num_views`."""
        requests = [
            _Request(video, view_gops(self._gops[video], self.layout.num_gops, view, num_views))
            for video in range(len(self))
        ]
        return Batches(self, requests, batch_size)


@dataclass(frozen=True)
class Batches:
    """A sized, re-iterable run through some clips of a part."""

    part: ClipSource
    requests: Sequence[_Request]
    batch_size: int

    def __len__(self) -> int:
        return -(-len(self.requests) // self.batch_size)

    def __iter__(self) -> Iterator[ClipBatch]:
        groups = [self.requests[i : i + self.batch_size] for i in range(0, len(self.requests), self.batch_size)]
        cached = all(request in self.part._cache for request in self.requests)
        loader: DataLoader[ClipBatch] = DataLoader(
            _ClipReader(self.part),
            batch_sampler=groups,  # type: ignore[arg-type]
            collate_fn=join_clips,
            num_workers=0 if cached else self.part.num_workers,
            pin_memory=torch.cuda.is_available(),
        )
        return iter(loader)
