"""GOPs become clips and clips batches, only where they belong together."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.clips import batch_of

from cdkd.data.clips.clip import GopArrays, clip_of, join_clips
from cdkd.data.clips.sampling import ClipLayout, gop_positions


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


def test_windows_of_later_gops_point_behind_those_of_earlier_ones() -> None:
    """GOPs of 4 and 3 frames, two time steps each, motion alone, raw frames of windows of three."""
    layout = ClipLayout(2, 2, student_window=1, teacher_window=3)
    gops = []
    for number, length in enumerate((4, 3)):
        positions = gop_positions(length, layout)
        shown = [100 * number + place for place in positions.frames]
        gops.append(
            GopArrays(
                iframe=np.full((3, 16, 24), 100 * number, np.uint8),
                motion=np.zeros((len(positions.motion), 2, 16, 24), np.int16),
                residual=np.zeros((len(positions.motion), 3, 16, 24), np.int16),
                frames=np.ones((len(shown), 3, 16, 24), np.uint8) * np.array(shown, np.uint8)[:, None, None, None],
                positions=positions,
            )
        )
    clip = clip_of(gops, label=7, video=9)
    assert (clip.iframes.shape, clip.motion.shape) == ((1, 2, 3, 16, 24), (1, 4, 2, 16, 24))
    assert clip.motion_windows.tolist() == [[[0], [1], [2], [3]]]
    seen = clip.frames[0, clip.frame_windows[0], 0, 0, 0]
    # Of 3 and 2 P-frames the steps are 1, 3 and 1, 2; the windows stop at the GOP's ends.
    assert seen.tolist() == [[0, 1, 2], [2, 3, 3], [100, 101, 102], [101, 102, 102]]
    assert (clip.labels.tolist(), clip.videos.tolist()) == ([7], [9])
