"""GOPs become clips and clips batches, only where they belong together."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.clips import batch_of

from cdkd.data.clips.clip import GopArrays, clip_of, join_clips
from cdkd.data.clips.sampling import GopSteps
from cdkd.data.clips.windows import gop_positions


def test_clips_of_different_sizes_are_refused_with_both_sizes() -> None:
    with pytest.raises(ValueError, match=r"iframes .*16, 16.*20, 20"):
        join_clips([batch_of(16, 16), batch_of(20, 20)])


def test_clips_keep_their_place_in_a_batch() -> None:
    first, second = batch_of(16, 24, num_clips=1), batch_of(16, 24, num_clips=2)
    joined = join_clips([second, first])
    assert joined.motion.shape == (3, 4, 2, 16, 24) and joined.videos.tolist() == [0, 1, 0]
    assert torch.equal(joined.clip(1).residual, second.residual[1:])
    joined.residual[1] = 0
    assert second.residual[1].any()


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("labels", (3,), r"labels \(3,\): batch axis differs from iframes' 2"),
        ("residual", (2, 5, 3, 16, 24), r"motion \(2, 4, 2, 16, 24\) and residual \(2, 5, 3, 16, 24\) differ in N"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(name: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(batch_of(16, 24), **{name: torch.zeros(shape)})


def gop_of(number: int, length: int, steps: tuple[int, ...], teacher_window: int) -> GopArrays:
    """A GOP whose picture t shows 100 * number + t, and its motion too."""
    positions = gop_positions(length, steps, 1, teacher_window)
    shown, moved = (np.array(p)[:, None, None, None] + 100 * number for p in (positions.frames, positions.motion))
    return GopArrays(
        gop=number,
        iframe=np.full((3, 16, 24), 100 * number, np.uint8),
        motion=np.ones((len(moved), 2, 16, 24), np.int16) * moved.astype(np.int16),
        residual=np.zeros((len(moved), 3, 16, 24), np.int16),
        frames=np.ones((len(shown), 3, 16, 24), np.uint8) * shown.astype(np.uint8),
        positions=positions,
    )


def test_windows_of_later_gops_point_behind_those_of_earlier_ones() -> None:
    """GOPs of 4 and 3 frames, two time steps each, motion alone, raw frames of windows of three."""
    steps = (GopSteps(0, (1, 3)), GopSteps(1, (1, 2)))
    clip = clip_of([gop_of(0, 4, (1, 3), 3), gop_of(1, 3, (1, 2), 3)], steps, label=7, video=9)
    assert (clip.iframes.shape, clip.motion.shape) == ((1, 2, 3, 16, 24), (1, 4, 2, 16, 24))
    assert clip.motion_windows.tolist() == [[[0], [1], [2], [3]]]
    seen = clip.frames[0, clip.frame_windows[0], 0, 0, 0]
    # The windows stop at the GOP's ends.
    assert seen.tolist() == [[0, 1, 2], [2, 3, 3], [100, 101, 102], [101, 102, 102]]
    assert (clip.labels.tolist(), clip.videos.tolist()) == ([7], [9])


def test_groups_of_one_gop_share_what_was_read_of_it_and_keep_their_place_in_time() -> None:
    """Steps 3 and 1 of GOP 0 with one of GOP 1 between them, as a dense clip of a short video has them."""
    steps = (GopSteps(0, (3,)), GopSteps(1, (2,)), GopSteps(0, (1,)))
    clip = clip_of([gop_of(0, 4, (3, 1), 3), gop_of(1, 3, (2,), 3)], steps, label=0, video=0)
    assert clip.iframes[0, :, 0, 0, 0].tolist() == [0, 100, 0]
    assert clip.motion[0, clip.motion_windows[0], 0, 0, 0].tolist() == [[3], [102], [1]]
    assert clip.frames[0, clip.frame_windows[0], 0, 0, 0].tolist() == [[2, 3, 3], [101, 102, 102], [0, 1, 2]]
    assert clip.frames.shape[1] == 4 + 2 and clip.motion.shape[1] == 3


def test_clips_whose_windows_overlap_differently_share_a_batch() -> None:
    steps = [(GopSteps(0, (1, 8)),), (GopSteps(0, (4, 5)),)]
    clips = [clip_of([gop_of(0, 12, each[0].positions, 5)], each, 0, number) for number, each in enumerate(steps)]
    assert [clip.frames.shape[1] for clip in clips] == [4 + 5, 6]
    batch = join_clips(clips)
    for number, each in enumerate(clips):
        seen = batch.frames[number, batch.frame_windows[number]]
        assert torch.equal(seen, each.frames[0, each.frame_windows[0]])
    assert join_clips([batch, batch]).frames.shape == (4, 9, 3, 16, 24)
