"""What distinguishes one data set from another, as a record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cdkd.data.annotations.annotation import Annotation

FlipPolicy = Literal["off", "on", "swap"]


def same_name(stem: str) -> tuple[str, ...]:
    """Copies keep a video under its published name."""
    return (stem,)


@dataclass(frozen=True)
class DatasetSpec:
    """One data set: how its annotation is read, what it officially holds, how it is trained and tested."""

    name: str
    title: str
    read: Callable[[Path, int], Annotation]
    """(folder of the annotation files, split) to classes and videos."""
    splits: tuple[int, ...] = (1,)
    """Official split numbers."""
    num_classes: int | None = None
    """None: not fixed."""
    counts: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    """Split to part to official number of videos; empty: not fixed."""
    views: tuple[int, int] = (1, 1)
    """Clips and crops per test video in the paper's protocol."""
    flip: FlipPolicy = "on"
    """Horizontal flips in training; swap: with the labels of `swapped_labels` exchanged."""
    swapped_labels: tuple[tuple[int, int], ...] = ()
    """Pairs of 0-based labels that a mirror turns into each other."""
    copies_differ: bool = False
    """Videos have vanished from the source, so a missing file is no fault of this copy."""
    source_names: Callable[[str], tuple[str, ...]] = same_name
    """Names without suffix under which copies keep a video, given the published one."""
    ignore_case: bool = False
    """The publisher's lists and file names differ in letter case."""
    note: str = ""
    """What `cdkd data list` and `cdkd data check` should say beside the counts."""
