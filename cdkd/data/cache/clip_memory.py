"""Decoded clips kept in memory, in the process that trains and nowhere else."""

from dataclasses import dataclass, field

from cdkd.data.clips.clip import ClipBatch

LIMIT_BYTES = 2 << 30

CachedClipKey = tuple[int, tuple[int, ...]]
"""A video's place in its part, and the clip's GOPs."""


@dataclass
class ClipMemory:
    """Clips by what they were cut from, up to a limit."""

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
        num_bytes = batch.num_bytes // len(batch.labels)
        expected = max(self.num_expected * num_bytes, self._num_bytes + num_bytes)
        if expected <= self.limit_bytes and key not in self._clips:
            self._clips[key] = batch.clip(index)
            self._num_bytes += num_bytes
