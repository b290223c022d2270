"""What distinguishes one data set from another, as a record of facts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cdkd.data.annotations.annotation import Annotation

FlipPolicy = Literal["off", "on", "swap"]

Origin = Literal["published", "plain", "generated"]
"""Where the videos come from. published: a copy of the publisher's files, prepared by the user once; plain: anybody's
folder, prepared when it is first opened; generated: rendered from settings."""

SourceLayout = Literal["exact", "same_folder", "any_folder"]
"""Where a listed video may lie in a copy. exact: at the listed path; same_folder: there, under any video suffix;
any_folder: also in the folder of its class wherever that stands, or in one that is no class's (see `SourceFiles`)."""


def same_name(name: str) -> tuple[str, ...]:
    """Copies keep a video under its published name."""
    return (name,)


def no_annotation(folder: Path, split: int) -> Annotation:
    """A data set that is generated lists nothing: its generator knows its videos."""
    del folder, split
    return Annotation((), ())


@dataclass(frozen=True)
class DatasetSpec:
    """One data set: how its annotation is read, what it officially holds, how it is trained and tested."""

    name: str
    """`data.name`."""
    title: str
    """Its full name, as reports and lists print it."""
    published_name: str = ""
    """What the paper's tables call it; "": it is in none of them."""
    origin: Origin = "published"
    read: Callable[[Path, int], Annotation] = no_annotation
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
    layout: SourceLayout = "any_folder"
    source_names: Callable[[str], tuple[str, ...]] = same_name
    """Names without suffix under which copies keep a video, given the published one."""
    class_folder: Callable[[str], str] = str
    """The class's folder as published, given the folder of a copy."""
    ignore_case: bool = False
    """The publisher's lists and file names differ in letter case."""
    note: str = ""
    """What `cdkd data list` and `cdkd data check` should say beside the counts."""
