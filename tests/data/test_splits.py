"""Held-out videos share no source with those that stay."""

import time
from collections import Counter

import pytest

from cdkd.data.manifest import LabelledVideo
from cdkd.data.splits import hold_out


def rows(*groups: tuple[str, dict[int, int]], part: str = "train") -> tuple[LabelledVideo, ...]:
    """(group, {label: number of videos}) to videos."""
    return tuple(
        LabelledVideo(f"{group}/{label}/{i}", label, group, part)  # type: ignore[arg-type]
        for group, sizes in groups
        for label, count in sizes.items()
        for i in range(count)
    )


def held(videos: tuple[LabelledVideo, ...]) -> Counter[int]:
    return Counter(video.label for video in videos if video.part == "validation")


# 3 classes like UCF-101's: 8 groups of 4 to 7 videos in each
UCF = rows(*((f"{k}_g{g:02d}", {k: 4 + (g * 3 + k) % 4}) for k in range(3) for g in range(8)))


def test_groups_stay_whole() -> None:
    for seed in range(5):
        parts: dict[str, set[str]] = {}
        for video in hold_out(UCF, 0.1, seed):
            parts.setdefault(video.group, set()).add(video.part)
        assert all(len(both) == 1 for both in parts.values())


def test_every_class_gives_its_share() -> None:
    sizes = Counter(video.label for video in UCF)
    assert sizes == {0: 44, 1: 44, 2: 44}
    for seed in range(5):
        # a tenth is 4.4 videos: one group of 4 to 7, never none, never two
        assert all(4 <= count <= 7 for count in held(hold_out(UCF, 0.1, seed)).values())
        assert sorted(held(hold_out(UCF, 0.1, seed))) == [0, 1, 2]
        assert all(18 <= count <= 26 for count in held(hold_out(UCF, 0.5, seed)).values())


def test_only_parts_change_and_order_does_not_matter() -> None:
    moved = hold_out(UCF, 0.2, 3)
    assert [(v.path, v.label, v.group) for v in moved] == [(v.path, v.label, v.group) for v in UCF]
    assert hold_out(UCF[::-1], 0.2, 3) == moved[::-1]


def test_the_seed_decides() -> None:
    assert hold_out(UCF, 0.1, 1) == hold_out(UCF, 0.1, 1)
    assert len({hold_out(UCF, 0.1, seed) for seed in range(6)}) > 1


def test_videos_without_group_move_alone() -> None:
    videos = tuple(LabelledVideo(f"{i}", i % 2, "", "train") for i in range(40))
    assert held(hold_out(videos, 0.1, 0)) == {0: 2, 1: 2}


def test_other_parts_stay() -> None:
    others = rows(("t", {0: 3}), part="test") + rows(("p", {1: 3}), part="pretrain")
    assert hold_out(UCF + others, 0.3, 0)[len(UCF) :] == others


def test_a_group_across_classes_moves_as_one() -> None:
    videos = rows(("film", {0: 2, 1: 2}), ("a", {0: 9}), ("b", {1: 9}), ("c", {0: 9}), ("d", {1: 9}))
    moved = hold_out(videos, 0.1, 0)
    assert {video.group for video in moved if video.part == "validation"} == {"film"}


def test_a_class_of_one_group_keeps_it() -> None:
    videos = rows(("only", {0: 5}), ("a", {1: 2}), ("b", {1: 2}))
    assert held(hold_out(videos, 0.3, 0)) == {1: 2}


def test_where_all_groups_are_too_large_the_smallest_goes() -> None:
    videos = rows(("a", {0: 30}), ("b", {0: 20}), ("c", {0: 50}))
    assert {v.group for v in hold_out(videos, 0.02, 0) if v.part == "validation"} == {"b"}


@pytest.mark.parametrize("seed", range(4))
def test_no_class_loses_its_last_training_video(seed: int) -> None:
    videos = rows(("a", {0: 1}), ("b", {0: 1}), ("c", {1: 1, 2: 1}), ("d", {1: 1}), ("e", {2: 1}))
    left = {v.label for v in hold_out(videos, 0.9, seed) if v.part == "train"}
    assert left == {0, 1, 2}


def test_the_time_grows_with_the_videos_not_with_their_square() -> None:
    videos = tuple(LabelledVideo(f"{i}", i % 400, "", "train") for i in range(60_000))
    start = time.process_time()
    assert held(hold_out(videos, 0.1, 0)) == dict.fromkeys(range(400), 15)
    assert time.process_time() - start < 4.0


def test_another_part_may_be_named() -> None:
    assert {v.part for v in hold_out(UCF, 0.2, 0, part="test")} == {"train", "test"}
