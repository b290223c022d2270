"""Index arithmetic against literal tables and a slow version of the published formulas."""

import random

import numpy as np
import pytest

from cdkd.data.clips.sampling import (
    ClipLayout,
    GopSteps,
    are_positions_fixed,
    dense_training,
    dense_view,
    merge_groups,
    num_training_clips,
    segment_anchors,
    segment_view,
    spread_positions,
    training_gops,
    training_steps,
    usable_gops,
    view_gops,
    view_steps,
    wandering_positions,
)
from cdkd.settings import RunConfig

PAPER = ClipLayout(1, 6)
COVERAGE = ClipLayout(8, 1)


def gops_of(num_frames: int, gop_length: int = 12) -> tuple[int, ...]:
    return tuple(min(gop_length, num_frames - start) for start in range(0, num_frames, gop_length))


def draw(lengths: tuple[int, ...], layout: ClipLayout, seed: int) -> tuple[GopSteps, ...]:
    return training_steps(usable_gops(lengths, layout.frames_per_gop), layout, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("gop_length", "num", "expected"),
    [(12, 6, (1, 3, 5, 7, 9, 11)), (12, 2, (3, 9)), (12, 1, (6,)), (7, 6, (1, 2, 3, 4, 5, 6)), (16, 3, (3, 8, 13))],
)
def test_positions_are_the_middles_of_equal_parts(gop_length: int, num: int, expected: tuple[int, ...]) -> None:
    assert spread_positions(gop_length, num) == expected


def test_the_embedded_data_set_has_one_clip_per_video_under_every_sampling() -> None:
    """So its results are those from before there was a choice: videos of one GOP of 12 frames, six P-frames of it."""
    default = RunConfig().data
    assert (default.gops_per_clip, default.frames_per_gop, default.shapes.num_frames) == (1, 6, 12)
    for sampling in ("segments", "dense", "gops"):
        layout = ClipLayout(1, 6, sampling=sampling)
        expected = (GopSteps(0, (1, 3, 5, 7, 9, 11)),)
        assert {draw((12,), layout, seed) for seed in range(50)} == {expected}
        assert {view_steps(usable_gops((12,), 6), layout, view, 10) for view in range(10)} == {expected}
        assert num_training_clips(usable_gops((12,), 6), layout) == 1 and are_positions_fixed((12,), layout)


@pytest.mark.parametrize(("gop_length", "num"), [(24, 6), (30, 6), (13, 4), (12, 1), (9, 2)])
def test_positions_wander_in_longer_gops_and_never_meet(gop_length: int, num: int) -> None:
    drawn = [wandering_positions(gop_length, num, np.random.default_rng(seed)) for seed in range(400)]
    room = (gop_length - 1) // num
    middles = spread_positions(gop_length, num)
    for place, column in enumerate(zip(*drawn, strict=True)):
        reached = range(middles[place] - room // 2, middles[place] - room // 2 + room)
        assert set(column) == set(reached) and reached[0] >= 1 and reached[-1] < gop_length
    assert all(sorted(set(positions)) == list(positions) for positions in drawn)


# The official code (TSM, dataset.py), written out slowly: frames counted from 0, `dice.randrange` for numpy's randint.


def official_training(num: int, num_segments: int, dice: random.Random) -> list[int]:
    duration = num // num_segments
    return [segment * duration + dice.randrange(duration) for segment in range(num_segments)]


def official_test(num: int, num_segments: int, twice: bool) -> list[list[int]]:
    tick = num / num_segments
    clips = [[int(tick / 2.0 + tick * x) for x in range(num_segments)]]
    return [*clips, [int(tick * x) for x in range(num_segments)]] if twice else clips


def official_dense(num: int, num_segments: int, start: int) -> list[int]:
    stride = 64 // num_segments
    return [(index * stride + start) % num for index in range(num_segments)]


@pytest.mark.parametrize(("num", "num_segments"), [(22, 8), (8, 8), (66, 8), (100, 16), (11, 1), (41, 3)])
def test_training_draws_the_frames_that_the_official_code_draws(num: int, num_segments: int) -> None:
    generator, dice = np.random.default_rng(0), random.Random(0)
    ours = [segment_anchors(num, num_segments, generator) for _ in range(800)]
    theirs = [official_training(num, num_segments, dice) for _ in range(800)]
    assert [set(c) for c in zip(*ours, strict=True)] == [set(c) for c in zip(*theirs, strict=True)]
    # Each part is drawn for itself.
    assert abs(len(set(ours)) - len(set(map(tuple, theirs)))) < 40


@pytest.mark.parametrize("num", [*range(8, 80), 165, 300])
@pytest.mark.parametrize("num_segments", [1, 3, 8, 16])
def test_a_view_takes_the_frames_that_the_official_code_takes(num: int, num_segments: int) -> None:
    assert list(segment_view(num, num_segments, 0, 1)) == official_test(num, num_segments, twice=False)[0]
    assert [list(segment_view(num, num_segments, v, 2)) for v in (0, 1)] == official_test(num, num_segments, twice=True)


def test_many_views_are_equally_far_apart_and_stay_in_the_video() -> None:
    views = [segment_view(80, 2, view, 4) for view in range(4)]
    assert views == [(20, 60), (30, 70), (0, 40), (10, 50)]
    assert max(max(segment_view(7, 8, view, 10)) for view in range(10)) == 6


def test_videos_shorter_than_a_clip_repeat_frames_evenly() -> None:
    assert segment_anchors(3, 8, np.random.default_rng(0)) == (0, 0, 0, 1, 1, 2, 2, 2)
    assert segment_view(3, 8, 0, 1) == (0, 0, 0, 1, 1, 2, 2, 2)


@pytest.mark.parametrize("num", [5, 63, 64, 65, 66, 100, 275])
@pytest.mark.parametrize("num_segments", [8, 16, 6])
def test_dense_clips_are_those_of_the_official_code(num: int, num_segments: int) -> None:
    sample_pos = max(1, 1 + num - 64)
    for view, start in enumerate(np.linspace(0, sample_pos - 1, num=10, dtype=int)):
        assert list(dense_view(num, num_segments, view, 10)) == official_dense(num, num_segments, int(start))
    starts = [0] if sample_pos == 1 else range(sample_pos - 1)
    theirs = {tuple(official_dense(num, num_segments, start)) for start in starts}
    generator = np.random.default_rng(0)
    drawn = {dense_training(num, num_segments, generator) for _ in range(2500)}
    assert drawn == theirs
    assert list(dense_view(num, num_segments, 0, 1)) == official_dense(num, num_segments, (sample_pos - 1) // 2)


@pytest.mark.parametrize(("num_frames", "before"), [(24, 2), (45, 4), (72, 6), (180, 8)])
def test_a_coverage_clip_has_eight_different_frames_however_short_the_video(num_frames: int, before: int) -> None:
    usable = usable_gops(gops_of(num_frames), 1)
    assert len(set(view_steps(usable, ClipLayout(8, 1, sampling="gops")))) == before
    assert len(set(view_steps(usable, COVERAGE))) == 8
    for seed in range(20):
        steps = draw(gops_of(num_frames), COVERAGE, seed)
        assert len(set(steps)) == 8 and list(steps) == sorted(steps, key=lambda s: (s.gop, s.positions))
    every = {step for seed in range(500) for step in draw(gops_of(num_frames), COVERAGE, seed)}
    num_p_frames = sum(length - 1 for length in gops_of(num_frames))
    # All but what is left over when the P-frames are cut into eight equal parts, as in the official code.
    assert len(every) == num_p_frames - num_p_frames % 8


def test_frames_are_numbered_through_the_p_frames_of_usable_gops() -> None:
    usable = usable_gops((5, 4, 2, 3), frames_per_gop=2)
    assert (usable.numbers, usable.lengths, usable.num_p_frames) == ((0, 1, 3), (5, 4, 3), 9)
    assert [usable.locate(number) for number in range(9)] == [
        (0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (1, 2), (1, 3), (2, 1), (2, 2),
    ]  # fmt: skip
    assert view_steps(usable, ClipLayout(3, 2)) == (GopSteps(0, (2, 4)), GopSteps(1, (1, 3)), GopSteps(3, (1, 2)))
    assert not usable_gops((2, 2), frames_per_gop=2)


def test_groups_of_one_gop_are_read_together() -> None:
    steps = (GopSteps(4, (1,)), GopSteps(4, (9,)), GopSteps(7, (2,)), GopSteps(4, (3,)))
    assert merge_groups(steps) == (GopSteps(4, (1, 9, 3)), GopSteps(7, (2,)))


def test_gops_with_too_few_p_frames_are_not_usable() -> None:
    assert usable_gops((12, 6, 7, 1), frames_per_gop=6).numbers == (0, 2)


def test_views_of_whole_gops_take_the_middles_of_equal_parts() -> None:
    assert view_gops(10, num_gops=1, view=0, num_views=1) == (5,)
    assert [view_gops(10, 1, view, 2) for view in range(2)] == [(2,), (7,)]
    assert view_gops(3, num_gops=3, view=0, num_views=1) == (0, 1, 2)
    assert view_gops(1, num_gops=3, view=1, num_views=2) == (0, 0, 0)


def test_training_draws_one_whole_gop_of_each_part() -> None:
    drawn = np.array([training_gops(9, 3, np.random.default_rng(seed)) for seed in range(200)])
    assert [sorted(set(column)) for column in drawn.T.tolist()] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert training_gops(1, 4, np.random.default_rng(0)) == (0, 0, 0, 0)
