"""Clips from video, from memory and with workers: the same batches in the same order, and nothing that grows."""

from pathlib import Path

import pytest
import torch
from support.clips import assert_equal, epoch, source
from support.prepared import prepared_folder

from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.loading.dataset import CachePolicy
from cdkd.data.manifest import Manifest
from cdkd.video.frames import VideoError


@pytest.mark.parametrize("cache", ["off", "memory"])
def test_workers_change_neither_batches_nor_order(manifest: Manifest, cache: CachePolicy) -> None:
    alone, helped = source(manifest, 0), source(manifest, 2, cache)
    epochs = [epoch(alone, number) for number in range(3)]
    assert epochs[0][0].motion.shape == (2, 6, 2, 32, 48) and epochs[0][0].frames.shape == (2, 16, 3, 32, 48)
    assert not torch.equal(epochs[0][0].videos, epochs[1][0].videos)
    for number, expected in enumerate(epochs):
        assert_equal(epoch(helped, number), expected)


def test_a_resumed_epoch_is_the_same_epoch(manifest: Manifest) -> None:
    went_through = source(manifest, 2)
    for number in range(2):
        epoch(went_through, number)
    assert_equal(epoch(source(manifest, 0), 2), epoch(went_through, 2))
    assert_equal(epoch(source(manifest, 2), 2), epoch(went_through, 2))


def test_loading_leaves_the_global_generators_alone(manifest: Manifest) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    epoch(source(manifest, 2), 0)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_memory_serves_every_later_epoch(manifest: Manifest, num_workers: int) -> None:
    clips = source(manifest, num_workers, "memory", layout=ClipLayout(1, 3))
    expected = list(clips.view_batches(0, 1, 2))
    assert len(clips.memory) == 5
    for video in manifest.part("train"):
        (manifest.root / video.path).rename(manifest.root / f"{video.path}.away")
    try:
        again = list(clips.view_batches(0, 1, 2))
    finally:
        for video in manifest.part("train"):
            (manifest.root / f"{video.path}.away").rename(manifest.root / video.path)
    assert [batch.videos.tolist() for batch in again] == [[0, 1], [2, 3], [4]]
    for one, other in zip(again, expected, strict=True):
        assert torch.equal(one.motion, other.motion) and torch.equal(one.iframes, other.iframes)


def test_batches_that_are_partly_in_memory_keep_their_order(manifest: Manifest) -> None:
    clips = source(manifest, 0, "memory", layout=ClipLayout(1, 3))
    plain = source(manifest, 0, "off", layout=ClipLayout(1, 3))
    list(clips.view_batches(0, 1, 2, rank=1, world_size=2))
    assert sorted(video for video, _ in clips.memory._clips) == [1, 3]
    for one, other in zip(clips.view_batches(0, 1, 3), plain.view_batches(0, 1, 3), strict=True):
        assert torch.equal(one.videos, other.videos) and torch.equal(one.residual, other.residual)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_video_that_vanishes_is_named_whoever_reads_it(tmp_path: Path, num_workers: int) -> None:
    manifest = prepared_folder(tmp_path / "set", 2, 1)
    clips = source(manifest, num_workers)
    (manifest.root / manifest.part("train")[1].path).unlink()
    with pytest.raises(VideoError, match=r"clip 1\.mp4: cannot be read"):
        list(clips.view_batches(0, 1, 2))


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_memory_stays_flat_over_many_epochs(manifest: Manifest) -> None:
    clips = source(manifest, 0, "off")
    for number in range(10):
        epoch(clips, number)
    before = resident_mib()
    for number in range(10, 60):
        epoch(clips, number)
    # The batches of one epoch are 0.7 MiB: keeping those of 50 epochs would add 33.
    assert resident_mib() - before < 12
