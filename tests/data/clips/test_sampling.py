"""Index arithmetic against literal tables."""

import numpy as np
import pytest

from cdkd.data.clips.sampling import (
    index_windows,
    spread_positions,
    training_gops,
    usable_gops,
    view_gops,
    windows_around,
)


@pytest.mark.parametrize(
    ("gop_length", "num", "expected"),
    [(12, 6, (1, 3, 5, 7, 9, 11)), (12, 2, (3, 9)), (12, 1, (6,)), (7, 6, (1, 2, 3, 4, 5, 6)), (16, 3, (3, 8, 13))],
)
def test_positions_are_the_middles_of_equal_parts(gop_length: int, num: int, expected: tuple[int, ...]) -> None:
    assert spread_positions(gop_length, num) == expected


def test_windows_are_clamped_to_the_gop() -> None:
    assert windows_around((1, 6, 11), 5, 0, 11) == ((0, 0, 1, 2, 3), (4, 5, 6, 7, 8), (9, 10, 11, 11, 11))
    assert windows_around((1, 6), 1, 0, 11) == ((1,), (6,))
    assert windows_around((1, 6), 0, 0, 11) == ((), ())


def test_windows_become_indices_into_their_distinct_positions() -> None:
    assert index_windows(((2, 3, 4), (4, 5, 5))) == ((2, 3, 4, 5), ((0, 1, 2), (2, 3, 3)))
    assert index_windows(((), ())) == ((), ((), ()))


def test_gops_with_too_few_p_frames_are_not_usable() -> None:
    assert usable_gops((12, 6, 7, 1), frames_per_gop=6) == (0, 2)


def test_views_take_the_middles_of_equal_parts() -> None:
    assert view_gops(tuple(range(10)), num_gops=1, view=0, num_views=1) == (5,)
    assert [view_gops(tuple(range(10)), 1, view, 2) for view in range(2)] == [(2,), (7,)]
    assert view_gops((0, 4, 8), num_gops=3, view=0, num_views=1) == (0, 4, 8)
    assert view_gops((7,), num_gops=3, view=1, num_views=2) == (7, 7, 7)


def test_training_draws_one_gop_of_each_part() -> None:
    drawn = np.array([training_gops(tuple(range(9)), 3, np.random.default_rng(seed)) for seed in range(200)])
    assert [sorted(set(column)) for column in drawn.T.tolist()] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_a_short_video_repeats_gops_when_training() -> None:
    assert training_gops((3,), 4, np.random.default_rng(0)) == (3, 3, 3, 3)
