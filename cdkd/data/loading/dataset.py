"""The clips of one part of a data set: one by one for anybody, batch by batch for training and test."""

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from torch.utils.data import Dataset

from cdkd.data.cache.gop_index import GopLengths, index_gops
from cdkd.data.cache.packed import PackedCache, PackedError, find_cache, packing_remedy
from cdkd.data.cache.packed_record import layout_to_store
from cdkd.data.clips.clip import ClipBatch, join_clips
from cdkd.data.clips.sampling import (
    ClipLayout,
    ClipSteps,
    UsableGops,
    num_training_clips,
    training_steps,
    usable_gops,
    view_steps,
)
from cdkd.data.loading.loader import LIMIT_BYTES, ClipLoader, ClipMemory, ClipReader, ClipRequest
from cdkd.data.manifest import DatasetError, LabelledVideo, Manifest, Part
from cdkd.errors import CdkdError
from cdkd.modality import DEFAULT_FORM, PFrameForm
from cdkd.seeding import derive_seed
from cdkd.video.frames import VideoError

logger = logging.getLogger(__name__)

CachePolicy = Literal["auto", "off", "memory", "packed"]


class UnreadableError(CdkdError):
    """More videos of a part are unreadable than the configuration accepts."""


class ClipDataset(Dataset[ClipBatch]):
    """Clips of one part of a data set: `dataset[i]` is a clip of its i-th readable video.

    A clip is a `ClipBatch` of one, in integers as they come out of the decoder: iframes (1, G, 3, H, W) uint8, motion
    (1, N, 2, H, W) int16 in quarter pixels, residual (1, N, 3, H, W) int16, frames (1, M, 3, H, W) uint8, labels (1,).
    Indexing always takes the P-frames of the only test view (`data.sampling`: those in the middles of G equal parts of
    the video); `training_batches` draws others, and `view_batches` takes those of a test view.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> from cdkd.data.opening import open_dataset
        >>> few = {f"{part}_clips_per_class": 1 for part in ("train", "validation", "test", "pretrain")}
        >>> shapes = open_dataset("shapes", shapes=few)
        >>> clips = ClipDataset(shapes.manifest, "train", ClipLayout(num_gops=1, frames_per_gop=6))
        >>> len(clips), clips[-1].labels
        (12, tensor([9]))
        >>> clips[0].motion.shape  # N = 6 P-frames, 2 components, 48 x 48 pixels
        torch.Size([1, 6, 2, 48, 48])
        >>> loader = DataLoader(clips, batch_size=5, shuffle=True, collate_fn=clips.collate)
        >>> [len(batch.labels) for batch in loader]
        [5, 5, 2]
    """

    videos: tuple[LabelledVideo, ...]
    """The readable videos of the part."""
    gops: tuple[UsableGops, ...]
    """Of each of them the GOPs that are long enough."""
    packed: PackedCache | None
    """The packed cache that clips come from."""
    memory: ClipMemory
    """Clips that the loaders need not read again."""

    def __init__(
        self,
        manifest: Manifest,
        part: Part,
        layout: ClipLayout,
        form: PFrameForm = DEFAULT_FORM,
        num_workers: int = 0,
        cache: CachePolicy = "auto",
        max_unreadable: float = 0.0,
    ) -> None:
        """Finds out which videos can be read, and logs each that cannot as a warning; opens only those not known yet.

        Args:
            manifest: the data set.
            part: of it.
            layout: the shape of a clip.
            form: what motion and residual mean.
            num_workers: processes that read ahead for the loaders, and that open videos.
            cache: as `data.cache`.
            max_unreadable: the fraction of the videos that may be left out.

        Raises:
            DatasetError: the part is empty.
            UnreadableError: more than that cannot be read, or nothing is left.
            PackedError: a packed cache is demanded and none serves.
        """
        self.root = manifest.root
        self.part = part
        self.layout = layout
        self.form = form
        self.num_workers = num_workers
        self.cache = cache
        listed = manifest.part(part)
        if not listed:
            parts = ", ".join(manifest.num_videos_per_part)
            raise DatasetError(f"{manifest.root}: {manifest.name} has no {part} part; it has {parts}")
        found = index_gops(self.root, [video.path for video in listed], num_workers)
        # The order matters: what can be read depends on whether a packed cache serves, and memory on what can be read.
        self.packed = self._open_packed(listed, found)
        self.videos, self.gops = self._scan(listed, found, max_unreadable)
        # The kernel keeps the pages of a packed cache in memory itself, once for all processes.
        self.memory = self._memory() if self.packed is None else ClipMemory(0)
        self._reader = ClipReader(layout, form)

    collate = staticmethod(join_clips)
    """For `DataLoader(collate_fn=...)`: clips of equal picture size as one batch."""

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> ClipBatch:
        """A clip of one video; negative indices count from the end.

        Raises:
            IndexError: there are fewer videos.
            VideoError, PackedError: it can no longer be read.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"clip {index}: the {self.part} part has {len(self)} readable videos")
        return self._reader.read(self._view_request(index % len(self), view=0, num_views=1))

    def _scan(
        self, listed: Sequence[LabelledVideo], found: Sequence[GopLengths | VideoError], max_unreadable: float
    ) -> tuple[tuple[LabelledVideo, ...], tuple[UsableGops, ...]]:
        readable, gops, problems = [], [], []
        # All problems are gathered before any is reported: whoever repairs a data set wants the whole list at once.
        for video, known in zip(listed, found, strict=True):
            try:
                gops.append(self._usable_gops(video.path, known))
                readable.append(video)
            except VideoError as error:
                problems.append(str(error))
        if len(problems) > max_unreadable * len(listed) or not readable:
            shown = "".join(f"\n  {problem}" for problem in problems[:10])
            more = f"\n  and {len(problems) - 10} more" if len(problems) > 10 else ""
            raise UnreadableError(
                f"{self.root}: {len(problems)} of {len(listed)} videos of the {self.part} part cannot be used, "
                f"and data.max_unreadable accepts a share of {max_unreadable:g}; repair or remove them, "
                f"or raise data.max_unreadable{shown}{more}"
            )
        for problem in problems:
            logger.warning("left out of the %s part: %s", self.part, problem)
        return tuple(readable), tuple(gops)

    def _usable_gops(self, path: str, found: GopLengths | VideoError) -> UsableGops:
        if isinstance(found, VideoError):
            raise found
        if reason := found.unsupported_reason(self.form):
            raise VideoError(self.root / path, reason)
        # It opened, but not every frame could be decoded when the cache was made.
        if self.packed is not None and path in self.packed.broken:
            raise VideoError(self.root / path, self.packed.broken[path])
        usable = usable_gops(found.lengths, self.layout.frames_per_gop)
        if not usable:
            raise VideoError(self.root / path, f"no GOP of at least {self.layout.frames_per_gop + 1} frames")
        return usable

    def _open_packed(
        self, listed: Sequence[LabelledVideo], found: Sequence[GopLengths | VideoError]
    ) -> PackedCache | None:
        if self.cache not in ("auto", "packed"):
            return None
        # A set, since most videos have one and the same tuple of lengths.
        lengths = {known.lengths for known in found if isinstance(known, GopLengths)}
        stored = layout_to_store(self.layout, {length for each in lengths for length in each})
        packed, reason = find_cache(self.root, listed, stored, self.form)
        if packed is None and self.cache == "packed":
            remedy = packing_remedy(self.root, stored, self.form)
            raise PackedError(
                f"data.cache=packed, but no packed cache serves the {self.part} part: {reason or 'there is none'}; "
                f"make it: {remedy}"
            )
        # Without any cache there is nothing to say; a stale one is what somebody would want to know of.
        if packed is None and reason:
            logger.warning("the %s part is decoded from its videos; packed cache: %s", self.part, reason)
        return packed

    def _memory(self) -> ClipMemory:
        if self.cache == "off":
            return ClipMemory(0)
        if self.cache == "memory":
            return ClipMemory(LIMIT_BYTES)
        return ClipMemory(LIMIT_BYTES, sum(num_training_clips(usable, self.layout) for usable in self.gops))

    def training_batches(
        self, seed: int, epoch: int, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> ClipLoader:
        """One epoch in random order, the incomplete last batch left out unless it is the only one.

        The order, and which P-frames are drawn, follow from seed and epoch alone. Of `world_size` processes each takes
        every world_size-th clip of a batch of batch_size * world_size.
        """
        # A stream of its own for each epoch: a resumed training shuffles as one that was never stopped.
        order = np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(len(self))
        whole = batch_size * world_size
        # Every process must have equally many steps, or one would wait for the others' gradients for ever.
        size = max(len(order) // whole, 1) * whole

        def request(video: int) -> ClipRequest:
            # Of each video its own: which P-frames are drawn does not depend on who reads it, or in which order.
            generator = np.random.default_rng(derive_seed(seed, "gops", epoch, video))
            return self._request(video, training_steps(self.gops[video], self.layout, generator))

        return self._loader(order[:size].tolist()[rank::world_size], request, batch_size)

    def endless_batches(
        self, seed: int, steps: range, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> ClipLoader:
        """Some steps' batches of an endless run through all videos, pass after pass, each in a random order of its own.

        Step s holds the places [s * whole, (s + 1) * whole) of that run, whole = batch_size * world_size, so that it is
        the same whatever was read before. Its streams are not those of `training_batches`.

        Args:
            seed: of the orders, and of which P-frames are drawn.
            steps: numbers of the steps, from the training's first, one after the other.
            batch_size: clips of a step that this process reads.
            rank: of this process, which takes every world_size-th clip of a step.
            world_size: processes.
        """
        whole = batch_size * world_size
        order = lru_cache(maxsize=2)(
            lambda number: np.random.default_rng(derive_seed(seed, "unlabelled order", number)).permutation(len(self))
        )

        def request(place: int) -> ClipRequest:
            number, at = divmod(place, len(self))
            video = int(order(number)[at])
            generator = np.random.default_rng(derive_seed(seed, "unlabelled gops", number, video))
            return self._request(video, training_steps(self.gops[video], self.layout, generator))

        places = range(steps.start * whole, steps.stop * whole)
        return self._loader(places[rank::world_size], request, batch_size)

    def view_batches(
        self, view: int, num_views: int, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> ClipLoader:
        """All videos in order, each with the P-frames of test clip `view` of `num_views`; every world_size-th one."""

        def request(video: int) -> ClipRequest:
            return self._view_request(video, view, num_views)

        return self._loader(range(rank, len(self), world_size), request, batch_size)

    def _view_request(self, video: int, view: int, num_views: int) -> ClipRequest:
        return self._request(video, view_steps(self.gops[video], self.layout, view, num_views))

    def _request(self, video: int, steps: ClipSteps) -> ClipRequest:
        row = self.videos[video]
        packed = () if self.packed is None else self.packed.find(row.path, steps)
        return ClipRequest(self.root / row.path, steps, row.label, video, packed)

    def _loader(self, places: Sequence[int], request: Callable[[int], ClipRequest], batch_size: int) -> ClipLoader:
        return ClipLoader(self._reader, places, request, batch_size, self.memory, self.num_workers)
