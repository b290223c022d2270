"""The readable videos of a part, and their clips one by one."""

import doctest
from pathlib import Path
from types import ModuleType

import pytest
import torch
from support.clips import LAYOUT, assert_equal, epoch, source
from support.prepared import prepared_folder
from torch.utils.data import DataLoader

from cdkd.data import opening
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.loading import dataset
from cdkd.data.loading.dataset import ClipDataset, UnreadableError
from cdkd.data.manifest import DatasetError, Manifest


def test_memory_is_bounded_and_auto_keeps_nothing_that_cannot_all_fit(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip_bytes = next(iter(source(manifest).view_batches(0, 1, 1))).num_bytes
    monkeypatch.setattr("cdkd.data.loading.dataset.LIMIT_BYTES", 3 * clip_bytes)
    some, none = source(manifest, cache="memory"), source(manifest, cache="auto")
    for number in range(3):
        assert_equal(epoch(some, number), epoch(none, number))
    assert (len(some.memory), len(none.memory)) == (3, 0)
    # 3 GOPs in 2 parts: 1 * 1 different clips, as far as whole parts go; all 5 fit exactly
    monkeypatch.setattr("cdkd.data.loading.dataset.LIMIT_BYTES", 5 * clip_bytes)
    fitting = source(manifest, cache="auto")
    list(fitting.view_batches(0, 1, 2))
    assert len(fitting.memory) == 5


def test_short_videos_are_unreadable(tmp_path: Path) -> None:
    manifest = prepared_folder(tmp_path / "set", 2, 1, num_frames=3)
    with pytest.raises(UnreadableError, match="no GOP of at least 4 frames"):
        source(manifest)


def test_a_clip_by_its_index_is_that_of_the_only_test_view(manifest: Manifest) -> None:
    clips = source(manifest, layout=ClipLayout(2, 3, student_window=1, teacher_window=0))
    expected = [batch for batch in clips.view_batches(0, 1, 1)]
    assert len(clips) == 5 and [clip.videos.tolist() for clip in clips] == [[0], [1], [2], [3], [4]]
    for index in (1, -4):
        for name, tensor in vars(clips[index]).items():
            assert torch.equal(tensor, getattr(expected[1], name)), name
    assert clips[-1].labels.tolist() == [0]
    assert clips[2].iframes.shape == (1, 2, 3, 32, 48) and clips[2].frames.shape == (1, 0, 3, 32, 48)
    for index in (5, -6):
        with pytest.raises(IndexError, match=f"clip {index}: the train part has 5 readable videos"):
            clips[index]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_torchs_own_loader_takes_it(manifest: Manifest, num_workers: int) -> None:
    clips = source(manifest, layout=ClipLayout(1, 3))
    loader = DataLoader(clips, batch_size=3, collate_fn=clips.collate, num_workers=num_workers)
    for ours, theirs in zip(loader, clips.view_batches(0, 1, 3), strict=True):
        for name, tensor in vars(ours).items():
            assert torch.equal(tensor, getattr(theirs, name)), name


def test_a_part_that_the_data_set_lacks(manifest: Manifest) -> None:
    with pytest.raises(DatasetError, match="folder has no pretrain part; it has train, test"):
        ClipDataset(manifest, "pretrain", LAYOUT)


@pytest.mark.parametrize("module", [dataset, opening])
def test_examples_say_what_comes_out(module: ModuleType) -> None:
    assert doctest.testmod(module) == (0, {dataset: 9, opening: 5}[module])
