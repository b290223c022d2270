"""The clips of one part of a data set, in an order that (seed, epoch) alone decides."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from cdkd.data.cache.clip_memory import LIMIT_BYTES, ClipMemory
from cdkd.data.cache.gop_index import GopLengths, index_gops
from cdkd.data.cache.packed import PackedCache, PackedError, find_cache, packing_remedy
from cdkd.data.clips.sampling import ClipLayout, training_gops, usable_gops, view_gops
from cdkd.data.loading.loader import ClipLoader, ClipReader, ClipRequest
from cdkd.data.manifest import LabelledVideo
from cdkd.errors import CdkdError
from cdkd.seeding import derive_seed
from cdkd.video.frames import VideoError

logger = logging.getLogger(__name__)

CachePolicy = Literal["auto", "off", "memory", "packed"]


class UnreadableError(CdkdError):
    """More videos of a part are unreadable than the configuration accepts."""


@dataclass
class ClipDataset:
    """The readable videos of one part of a data set, and how clips are cut from them."""

    root: Path
    videos: Sequence[LabelledVideo]
    layout: ClipLayout
    accumulated: bool = True
    num_workers: int = 0
    cache: CachePolicy = "auto"
    """`data.cache`."""
    gops: Sequence[tuple[int, ...]] = field(default=(), repr=False)
    """Usable GOPs of each video, as `scan` finds them."""
    packed: PackedCache | None = field(default=None, repr=False)
    """The packed cache that clips come from, as `scan` finds it."""
    memory: ClipMemory = field(default_factory=lambda: ClipMemory(0), repr=False)

    def __len__(self) -> int:
        return len(self.videos)

    def scan(self, part: str, max_unreadable: float) -> "ClipDataset":
        """The same source without its unreadable videos, each of them logged as a warning; chooses the cache.

        Raises:
            UnreadableError: their share exceeds `max_unreadable`, or nothing is left.
            PackedError: a packed cache is demanded and none serves.
        """
        packed = self._open_packed(part)
        readable, gops, problems = [], [], []
        paths = [video.path for video in self.videos]
        for video, found in zip(self.videos, index_gops(self.root, paths, self.num_workers), strict=True):
            try:
                gops.append(self._usable_gops(video.path, found, packed))
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
        memory = self._memory(gops) if packed is None else ClipMemory(0)
        return replace(self, videos=readable, gops=gops, packed=packed, memory=memory)

    def _usable_gops(self, path: str, found: GopLengths | VideoError, packed: PackedCache | None) -> tuple[int, ...]:
        if isinstance(found, VideoError):
            raise found
        if found.frame_residual_unsupported_reason and not self.accumulated:
            raise VideoError(self.root / path, found.frame_residual_unsupported_reason)
        if packed is not None and path in packed.broken:
            raise VideoError(self.root / path, packed.broken[path])
        usable = usable_gops(found.lengths, self.layout.frames_per_gop)
        if not usable:
            raise VideoError(self.root / path, f"no GOP of at least {self.layout.frames_per_gop + 1} frames")
        return usable

    def _open_packed(self, part: str) -> PackedCache | None:
        if self.cache not in ("auto", "packed"):
            return None
        packed, reason = find_cache(self.root, self.videos, self.layout, self.accumulated)
        if packed is None and self.cache == "packed":
            remedy = packing_remedy(self.root, self.layout, self.accumulated)
            raise PackedError(
                f"data.cache=packed, but no packed cache serves the {part} part: {reason or 'there is none'}; "
                f"make it: {remedy}"
            )
        if packed is None and reason:
            logger.warning("the %s part is decoded from its videos; packed cache: %s", part, reason)
        return packed

    def _memory(self, gops: Sequence[tuple[int, ...]]) -> ClipMemory:
        if self.cache == "off":
            return ClipMemory(0)
        if self.cache == "memory":
            return ClipMemory(LIMIT_BYTES)
        # One GOP is drawn from each of G equal parts of a video.
        num = self.layout.num_gops
        return ClipMemory(LIMIT_BYTES, sum(max(1, len(usable) // num) ** num for usable in gops))

    def training_batches(
        self, seed: int, epoch: int, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> ClipLoader:
        """One epoch in random order, the incomplete last batch left out unless it is the only one.

        With `world` processes each takes every world-th clip of a batch of batch_size * world.
        """
        request = np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(len(self))
        whole = batch_size * world_size
        size = max(len(request) // whole, 1) * whole

        def clip(video: int) -> ClipRequest:
            generator = np.random.default_rng(derive_seed(seed, "gops", epoch, video))
            return self._request(video, training_gops(self.gops[video], self.layout.num_gops, generator))

        return self._batches(request[:size].tolist()[rank::world_size], clip, batch_size)

    def view_batches(
        self, view: int, num_views: int, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> ClipLoader:
        """All videos in order, each with the GOPs of test clip `view` of `num_views`; every world-th one of them."""

        def clip(video: int) -> ClipRequest:
            return self._request(video, view_gops(self.gops[video], self.layout.num_gops, view, num_views))

        return self._batches(range(rank, len(self), world_size), clip, batch_size)

    def _request(self, video: int, gops: tuple[int, ...]) -> ClipRequest:
        row = self.videos[video]
        packed = () if self.packed is None else self.packed.find(row.path, gops)
        return ClipRequest(self.root / row.path, gops, row.label, video, packed)

    def _batches(self, videos: Sequence[int], clip: Callable[[int], ClipRequest], batch_size: int) -> ClipLoader:
        reader = ClipReader(self.layout, self.accumulated)
        return ClipLoader(reader, videos, clip, batch_size, self.memory, self.num_workers)
