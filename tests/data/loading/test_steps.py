"""Labelled clips and unlabelled ones beside them: an endless run that knows its place, whoever reads it."""

import torch
from support.clips import source

from cdkd.data.clips.clip import ClipBatch
from cdkd.data.loading.steps import StepLoader
from cdkd.data.manifest import Manifest


def videos(batches: list[ClipBatch]) -> list[int]:
    return [int(video) for batch in batches for video in batch.videos]


def test_every_pass_of_an_endless_run_shows_every_video_once_in_an_order_of_its_own(manifest: Manifest) -> None:
    clips = source(manifest)
    run = videos(list(clips.endless_batches(4, range(10), 2)))
    passes = [run[start : start + 5] for start in range(0, 20, 5)]
    assert all(sorted(each) == [0, 1, 2, 3, 4] for each in passes) and len(set(map(tuple, passes))) == 4
    assert videos(list(clips.endless_batches(5, range(10), 2))) != run


def test_a_step_is_the_same_whatever_was_read_before_and_shared_by_processes(manifest: Manifest) -> None:
    whole = list(source(manifest, cache="memory").endless_batches(4, range(6), 2))
    later = list(source(manifest, 2).endless_batches(4, range(4, 6), 2))
    for ours, theirs in zip(later, whole[4:], strict=True):
        assert all(torch.equal(getattr(ours, name), tensor) for name, tensor in vars(theirs).items())
    shares = [videos(list(source(manifest).endless_batches(4, range(6), 1, rank, 2))) for rank in (0, 1)]
    assert [video for pair in zip(*shares, strict=True) for video in pair] == videos(whole)


def test_labelled_and_unlabelled_batches_share_the_processes_that_read_ahead(manifest: Manifest) -> None:
    clips = source(manifest, 6)
    labelled, unlabelled = clips.training_batches(4, 0, 2), clips.endless_batches(4, range(2), 4)
    loader = StepLoader.sharing_workers(labelled, unlabelled)
    assert loader.unlabelled is not None
    assert (loader.labelled.num_workers, loader.unlabelled.num_workers) == (2, 4)
    few = StepLoader.sharing_workers(source(manifest, 1).training_batches(4, 0, 2), unlabelled)
    assert few.unlabelled is not None and (few.labelled.num_workers, few.unlabelled.num_workers) == (1, 1)
    alone = StepLoader.sharing_workers(source(manifest).training_batches(4, 0, 2), unlabelled)
    assert alone.unlabelled is not None and (alone.labelled.num_workers, alone.unlabelled.num_workers) == (0, 0)
    steps = list(alone)
    assert len(steps) == len(alone) == 2
    assert [len(step.labelled.labels) for step in steps] == [2, 2]
    assert [len(step.unlabelled.labels) for step in steps if step.unlabelled] == [4, 4]
