"""Clips for tests: a batch out of nothing, and the clips of a small data set."""

from typing import Any

import torch

from cdkd.data.clips.clip import ClipBatch
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.loading.dataset import CachePolicy, ClipDataset
from cdkd.data.manifest import Manifest

LAYOUT = ClipLayout(num_gops=2, frames_per_gop=3, student_window=1, teacher_window=5, sampling="gops")


def source(manifest: Manifest, num_workers: int = 0, cache: CachePolicy = "off", **changes: Any) -> ClipDataset:
    options = {"layout": LAYOUT, **changes}
    return ClipDataset(manifest, "train", num_workers=num_workers, cache=cache, **options)


def epoch(clips: ClipDataset, number: int) -> list[ClipBatch]:
    return list(clips.training_batches(seed=4, epoch=number, batch_size=2))


def assert_equal(ours: list[ClipBatch], theirs: list[ClipBatch]) -> None:
    assert len(ours) == len(theirs) == 2
    for one, other in zip(ours, theirs, strict=True):
        for name, tensor in vars(one).items():
            assert tensor.dtype == getattr(other, name).dtype and torch.equal(tensor, getattr(other, name)), name


def batch_of(height: int, width: int, num_clips: int = 2) -> ClipBatch:
    draw = torch.Generator().manual_seed(0)
    return ClipBatch(
        iframes=torch.randint(0, 256, (num_clips, 1, 3, height, width), generator=draw, dtype=torch.uint8),
        motion=torch.randint(-40, 41, (num_clips, 4, 2, height, width), generator=draw, dtype=torch.int16),
        residual=torch.randint(-255, 256, (num_clips, 4, 3, height, width), generator=draw, dtype=torch.int16),
        frames=torch.randint(0, 256, (num_clips, 5, 3, height, width), generator=draw, dtype=torch.uint8),
        motion_windows=torch.tensor([[[0], [2], [3]]] * num_clips),
        frame_windows=torch.tensor([[[0, 1, 2], [1, 2, 3], [2, 3, 4]]] * num_clips),
        labels=torch.arange(num_clips),
        videos=torch.arange(num_clips),
    )
