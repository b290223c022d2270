"""Holding videos out of the training part without letting one source stand on both sides."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

from cdkd.data.manifest import LabelledVideo, Part, with_parts


def hold_out(
    videos: Sequence[LabelledVideo], fraction: float, seed: int, part: Part = "validation"
) -> tuple[LabelledVideo, ...]:
    """Moves whole groups of the training part to `part`.

    Every class gives that fraction of its training videos and at least one group, as far as groups allow: a class keeps
    at least one training video, so a class of a single group gives none. Depends on the rows and the seed alone, not on
    the rows' order, and leaves all other parts as they are.

    Args:
        videos: rows; those with group "" count as a group each.
        fraction: of the training videos to move, between 0 and 1.
        seed: decides which groups.
        part: where they go.
    """
    sizes = _group_sizes(videos)
    total = Counter(video.label for video in videos if video.part == "train")
    target = {label: max(1, round(fraction * count)) for label, count in total.items()}
    held: Counter[int] = Counter()
    chosen: set[str] = set()

    def would_empty_a_class(size: Counter[int]) -> bool:
        return any(held[label] + count >= total[label] for label, count in size.items())

    order = sorted(sizes, key=lambda group: _draw(seed, group))
    for group in order:
        size = sizes[group]
        gain = sum(abs(held[k] - target[k]) - abs(held[k] + n - target[k]) for k, n in size.items())
        if gain > 0 and not would_empty_a_class(size):
            chosen.add(group)
            held.update(size)
    # Groups far larger than a class's fraction were all refused above; such a class gives its smallest one.
    for label in sorted(label for label in total if held[label] == 0):
        left = [g for g in order if label in sizes[g] and g not in chosen and not would_empty_a_class(sizes[g])]
        if left and held[label] == 0:
            smallest = min(left, key=lambda group: sizes[group].total())
            chosen.add(smallest)
            held.update(sizes[smallest])
    return with_parts(videos, {v.path: part for v in videos if v.part == "train" and _group_of(v) in chosen})


def _group_of(video: LabelledVideo) -> str:
    return video.group or f"\0{video.path}"


def _group_sizes(videos: Sequence[LabelledVideo]) -> dict[str, Counter[int]]:
    sizes: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for video in videos:
        if video.part == "train":
            sizes[_group_of(video)][video.label] += 1
    return sizes


def _draw(seed: int, group: str) -> bytes:
    return hashlib.sha256(f"{seed}:{group}".encode("utf-8", "surrogateescape")).digest()
