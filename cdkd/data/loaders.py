"""Batches of clips of one part of a data set, in an order that (seed, epoch) alone decides."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
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

logger = logging.getLogger(__name__)

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
    gops: Sequence[tuple[int, ...]] = field(default=(), repr=False)
    """Usable GOPs of each video, as `scan` finds them."""
    _cache: dict[_Request, ClipBatch] = field(default_factory=dict, init=False, repr=False)
    _cached_bytes: int = field(default=0, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.videos)

    def scan(self, part: str, max_unreadable: float) -> "ClipSource":
        """The same source without its unreadable videos; each one is logged as a warning.

        Raises:
            UnreadableError: their share exceeds `max_unreadable`, or nothing is left.
        """
        readable, gops, problems = [], [], []
        for video in self.videos:
            try:
                gops.append(self._usable_gops(self.root / video.path))
                readable.append(video)
            except VideoError as error:
                problems.append(str(error))
        if len(problems) > max_unreadable * len(self.videos) or not readable:
            listed = "".join(f"\n  {problem}" for problem in problems[:10])
            more = f"\n  and {len(problems) - 10} more" if len(problems) > 10 else ""
            raise UnreadableError(
                f"{self.root}: {len(problems)} of {len(self.videos)} videos of the {part} part cannot be used, "
                f"and data.max_unreadable accepts a share of {max_unreadable:g}; repair or remove them, "
                f"or raise data.max_unreadable{listed}{more}"
            )
        for problem in problems:
            logger.warning("left out of the %s part: %s", part, problem)
        return replace(self, videos=readable, gops=gops)

    def _usable_gops(self, path: Path) -> tuple[int, ...]:
        with VideoReader(path) as reader:
            usable = usable_gops(reader.info.gop_lengths, self.layout.frames_per_gop)
        if not usable:
            raise VideoError(path, f"no GOP of at least {self.layout.frames_per_gop + 1} frames")
        return usable

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
            requests.append(_Request(video, training_gops(self.gops[video], self.layout.num_gops, generator)))
        return Batches(self, requests[rank::world], batch_size)

    def view_batches(self, view: int, num_views: int, batch_size: int, rank: int = 0, world: int = 1) -> "Batches":
        """All videos in order, each with the GOPs of test clip `view` of `num_views`; every world-th one of them."""
        requests = [
            _Request(video, view_gops(self.gops[video], self.layout.num_gops, view, num_views))
            for video in range(rank, len(self), world)
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
