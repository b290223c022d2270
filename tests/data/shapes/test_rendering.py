"""The embedded data set: the same pixels everywhere, and classes that show what their names say."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from cdkd.data.shapes import version2
from cdkd.data.shapes.clip_keys import MOVEMENTS, ShapesClipKey, shapes_classes, shapes_clip_keys
from cdkd.data.shapes.drawing import Dice, Scene, round_mask
from cdkd.data.shapes.rendering import render_clip
from cdkd.data.shapes.settings import ShapesSettings

VERSIONS = (1, 2)
FIRST, SECOND = ShapesSettings(version=1), ShapesSettings(version=2)


@pytest.mark.parametrize(("version", "digest"), [(1, "106d477cbd0b714a"), (2, "d3b77322985e12ca")])
def test_pixels_are_pinned(version: int, digest: str) -> None:
    frames = render_clip({1: FIRST, 2: SECOND}[version], ShapesClipKey("train", 3, 7))
    assert frames.shape == (12, 48, 48, 3)
    assert hashlib.sha256(frames.tobytes()).hexdigest()[:16] == digest


@pytest.mark.parametrize("settings", [FIRST, SECOND])
def test_a_clip_depends_on_its_key_and_the_seed_alone(settings: ShapesSettings) -> None:
    key = ShapesClipKey("test", 0, 2)
    frames = render_clip(settings, key)
    assert np.array_equal(frames, render_clip(settings.model_copy(update={"train_clips_per_class": 7}), key))
    assert not np.array_equal(frames, render_clip(settings.model_copy(update={"seed": 1}), key))
    assert not np.array_equal(frames, render_clip(settings, ShapesClipKey("train", 0, 2)))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_class_has_its_count_in_every_part(version: int) -> None:
    expected = {"pretrain": 1, "train": 2, "validation": 1, "test": 1}
    tiny = {f"{part}_clips_per_class": count for part, count in expected.items()}
    counts = Counter(
        (key.part, key.label) for key in shapes_clip_keys(ShapesSettings.model_validate({"version": version, **tiny}))
    )
    labels = range(len(shapes_classes(version)))
    assert counts == {(part, label): n for part, n in expected.items() for label in labels}


def test_motions_of_opposite_sense_are_the_same_clip_backwards_in_kind() -> None:
    """Zooming in grows the bright object, zooming out shrinks it."""
    for name, grows in (("4_lobes_zoom_in", True), ("4_lobes_zoom_out", False)):
        label = shapes_classes(1).index(name)
        changes = []
        for group in range(8):
            frames = render_clip(FIRST, ShapesClipKey("train", group, label)).astype(int)
            areas = (frames.max(axis=3) > 150).sum(axis=(1, 2))
            changes.append(int(areas[-1]) - int(areas[0]))
        assert (np.mean(changes) > 0) == grows


def scenes(rhythm: str, lobes: int = 3, count: int = 40) -> list[Scene]:
    return [version2.scene(lobes, rhythm, 12, 48, Dice("shared", i), Dice("own", i, rhythm)) for i in range(count)]


def faces(scene: Scene) -> list[bool]:
    """Whether the object shows its lobes, by frame."""
    return [not np.array_equal(objects[-1][0].mask, round_mask()) for objects in scene.objects]


def turns(scene: Scene) -> list[int]:
    """The frames in which the object has turned over since the one before."""
    shown = faces(scene)
    return [t for t in range(1, len(shown)) if shown[t] != shown[t - 1]]


def test_rhythms_are_how_often_an_object_turns_over() -> None:
    assert {tuple(turns(scene)) for scene in scenes("steady")} == {(), (1,)}
    assert all(len(found) == 1 and 4 <= found[0] <= 8 for found in map(turns, scenes("once")))
    assert all(len(found) == 2 and 3 <= found[1] - found[0] <= 5 for found in map(turns, scenes("return")))
    for found in map(turns, scenes("swing")):
        assert len(found) >= 3 and set(np.diff(found)) <= {2, 3}


@pytest.mark.parametrize("rhythm", MOVEMENTS[2])
def test_the_first_frame_shows_the_lobes_of_half_of_the_clips_and_every_clip_shows_them_somewhere(rhythm: str) -> None:
    shown = [faces(scene) for scene in scenes(rhythm, count=60)]
    assert 20 <= sum(first for first, *_ in shown) <= 40
    # Among the P-frames at odd places, which a clip of six time steps has.
    assert all(any(each[1::2]) for each in shown)


def test_slides_and_looks_tell_nothing_of_the_class() -> None:
    """Of one dice, whatever the class: where things are, and in which colours, is the same."""
    one, other = (version2.scene(*look, 12, 48, Dice(1), Dice(2)) for look in ((2, "swing"), (4, "once")))
    assert np.array_equal(one.backdrop_shifts, other.backdrop_shifts)
    for ours, theirs in zip(one.objects, other.objects, strict=True):
        assert [pose for _, pose in ours] == [pose for _, pose in theirs]
        assert all(np.array_equal(a.colours, b.colours) for (a, _), (b, _) in zip(ours, theirs, strict=True))
