"""Which clips the embedded data set has, and their classes, by version; imports nothing that draws."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cdkd.data.shapes.settings import ShapesSettings

LOBES: Final = {1: (2, 4), 2: (2, 3, 4)}
"""Version -> numbers of lobes: what an object looks like."""
MOVEMENTS: Final = {
    1: ("rotate_left", "rotate_right", "zoom_in", "zoom_out", "orbit_left", "orbit_right"),
    2: ("steady", "once", "return", "swing"),
}
"""Version -> how an object moves."""
PARTS: Final = ("pretrain", "train", "validation", "test")


def shapes_classes(version: int) -> tuple[str, ...]:
    """The classes of a version in order: every look with every movement, twelve of them."""
    return tuple(f"{lobes}_lobes_{movement}" for lobes in LOBES[version] for movement in MOVEMENTS[version])


@dataclass(frozen=True)
class ShapesClipKey:
    """Which clip: part, group (a scene that holds one clip of every class) and class."""

    part: str
    group: int
    label: int

    def look(self, version: int) -> tuple[int, str]:
        """Number of lobes and movement of the clip's class."""
        movements = MOVEMENTS[version]
        return LOBES[version][self.label // len(movements)], movements[self.label % len(movements)]

    def name(self, version: int) -> str:
        """File name without suffix, unique in the data set."""
        return f"{shapes_classes(version)[self.label]}_g{self.group:04d}"


def shapes_clip_keys(settings: ShapesSettings) -> Iterator[ShapesClipKey]:
    """All clips in order; no group stands in two parts."""
    sizes = {
        "pretrain": settings.pretrain_clips_per_class,
        "train": settings.train_clips_per_class,
        "validation": settings.validation_clips_per_class,
        "test": settings.test_clips_per_class,
    }
    for part in PARTS:
        for group in range(sizes[part]):
            for label in range(len(shapes_classes(settings.version))):
                yield ShapesClipKey(part, group, label)
