"""A run through some clips, batch by batch: read ahead by worker processes, or kept in memory from an earlier run.

What a worker gets is a batch's requests: paths, time steps and places in the packed cache. It knows neither the list of
videos nor the clips in memory, so neither is copied into every worker, and it draws no random numbers.

    requests_ahead --+-- what is not in memory --> workers: read, join --+--> _join --> batch, in order
                     |                                                   |      ^
                     +-- `due`: every batch, in order -------------------+      +--> memory: clips from earlier runs
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from cdkd.data.cache.packed import PackedGop
from cdkd.data.clips.clip import ClipBatch, clip_of, join_clips, read_clip
from cdkd.data.clips.sampling import ClipLayout, ClipSteps, merge_groups
from cdkd.errors import CdkdError
from cdkd.modality import PFrameForm

LIMIT_BYTES = 2 << 30

CachedClipKey = tuple[int, ClipSteps]
"""A video's place in its part, and the clip's time steps."""


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """One clip to read."""

    path: Path
    steps: ClipSteps
    label: int
    video: int
    """Place in the part of the data set."""
    packed: tuple[PackedGop, ...] = ()
    """Where its GOPs lie in the packed cache, each once; empty: the video is decoded."""

    @property
    def key(self) -> CachedClipKey:
        """What it is kept in memory under."""
        return self.video, self.steps


class ClipReader(Dataset["ClipBatch | CdkdError"]):
    """Reads the clips of one batch; its "indices" are tuples of requests."""

    def __init__(self, layout: ClipLayout, form: PFrameForm) -> None:
        self._layout = layout
        self._form = form

    def __getitem__(self, requests: tuple[ClipRequest, ...]) -> ClipBatch | CdkdError:
        try:
            return join_clips([self.read(request) for request in requests])
        except CdkdError as error:
            # Raised in a worker it would come out as a RuntimeError with a traceback for its text.
            return error

    def read(self, request: ClipRequest) -> ClipBatch:
        """One clip as a batch of one.

        Raises:
            VideoError, PackedError: its file cannot be read.
        """
        if request.packed:
            parts = zip(request.packed, merge_groups(request.steps), strict=True)
            read = [gop.read(part.positions, self._layout) for gop, part in parts]
            return clip_of(read, request.steps, request.label, request.video)
        return read_clip(request.path, request.steps, self._layout, self._form, request.label, request.video)


@dataclass
class ClipMemory:
    """Decoded clips by what they were cut from, up to a limit, in the process that trains and nowhere else."""

    limit_bytes: int = LIMIT_BYTES
    """0: nothing is kept."""
    num_expected: int = 0
    """Different clips that may come. Where they would not all fit, none is kept, because a clip would rarely be met
    again before the rest has filled the memory; 0: keep what comes until the limit."""
    _clips: dict[CachedClipKey, ClipBatch] = field(default_factory=dict, init=False, repr=False)
    _num_bytes: int = field(default=0, init=False, repr=False)

    def __len__(self) -> int:
        return len(self._clips)

    def __contains__(self, key: CachedClipKey) -> bool:
        return key in self._clips

    def __getitem__(self, key: CachedClipKey) -> ClipBatch:
        return self._clips[key]

    def keep(self, key: CachedClipKey, batch: ClipBatch, index: int) -> None:
        """Keeps a copy of a batch's clip where there is room."""
        # All clips of a batch have one layout and one picture size, so each has its equal share.
        num_bytes = batch.num_bytes // len(batch.labels)
        expected = max(self.num_expected * num_bytes, self._num_bytes + num_bytes)
        if expected <= self.limit_bytes and key not in self._clips:
            # A copy: a view would keep its whole batch in memory, and count as one clip of it.
            self._clips[key] = batch.clip(index)
            self._num_bytes += num_bytes


@dataclass(frozen=True)
class _BatchRequest:
    """A batch on its way: all of its clips, and those that are not in memory."""

    requests: tuple[ClipRequest, ...]
    missing: tuple[ClipRequest, ...]


@dataclass(frozen=True)
class ClipLoader:
    """A sized, re-iterable run through some clips of a part."""

    reader: ClipReader
    videos: Sequence[int]
    """Places in the part, or in an endless run through it, in order."""
    request: Callable[[int], ClipRequest]
    """The clip of such a place; called when its batch is due, so that long runs start at once."""
    batch_size: int
    memory: ClipMemory
    num_workers: int = 0

    def __len__(self) -> int:
        return (len(self.videos) + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[ClipBatch]:
        # The sampler runs ahead of what is yielded, by as many batches as the workers have in hand; `due` holds those
        # in between. A batch that is wholly in memory is never handed to a worker, so it waits here for its turn.
        due: deque[_BatchRequest] = deque()
        loader: DataLoader[ClipBatch | CdkdError] = DataLoader(
            self.reader,
            # A request of the sampler is a batch already; torch's own batching would gather several.
            batch_size=None,
            sampler=_Missing(self, due),
            num_workers=0 if self._is_in_memory() else self.num_workers,
            pin_memory=torch.cuda.is_available(),
            # Its own, or every run would move the global one.
            generator=torch.Generator(),
        )
        for read in loader:
            if isinstance(read, CdkdError):
                raise read
            # Workers answer in the order in which they were asked. What is due before this answer lies in memory.
            while not due[0].missing:
                yield self._join(due.popleft(), None)
            yield self._join(due.popleft(), read)
        # The batches behind the last one that was read, or all of them.
        while due:
            yield self._join(due.popleft(), None)

    def requests_ahead(self) -> Iterator[_BatchRequest]:
        """Every batch in turn, with what of it is to be read as memory stands now."""
        # Asked when the batch is due, and not once at the start: memory fills while the epoch runs. A batch that was
        # handed out keeps what it was told then, which `_join` goes by.
        for start in range(0, len(self.videos), self.batch_size):
            requests = tuple(self.request(video) for video in self.videos[start : start + self.batch_size])
            yield _BatchRequest(requests, tuple(request for request in requests if request.key not in self.memory))

    def _is_in_memory(self) -> bool:
        """No worker is needed; asks only where memory holds enough to make that possible."""
        is_possible = len(self.memory) >= len(self.videos)
        return is_possible and all(self.request(video).key in self.memory for video in self.videos)

    def _join(self, batch: _BatchRequest, read: ClipBatch | None) -> ClipBatch:
        if read is not None:
            for index, request in enumerate(batch.missing):
                self.memory.keep(request.key, read, index)
            # The usual case: the batch as the worker made it, without taking it apart.
            if batch.missing == batch.requests:
                return read
        fresh = {request.key: index for index, request in enumerate(batch.missing)}
        clips = [
            read.clip(fresh[request.key]) if read is not None and request.key in fresh else self.memory[request.key]
            for request in batch.requests
        ]
        return join_clips(clips)


class _Missing:
    """Hands the loader what is to be read, and notes every batch in the order in which they are due."""

    def __init__(self, batches: ClipLoader, due: deque[_BatchRequest]) -> None:
        self._batches = batches
        self._due = due

    def __iter__(self) -> Iterator[tuple[ClipRequest, ...]]:
        for batch in self._batches.requests_ahead():
            self._due.append(batch)
            if batch.missing:
                yield batch.missing
