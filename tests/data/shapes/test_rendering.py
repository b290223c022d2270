"""The embedded data set: the same pixels everywhere."""

import hashlib
from collections import Counter

import numpy as np

from cdkd.data.shapes.rendering import CLASSES, ShapesClipKey, render_clip, shapes_clip_keys
from cdkd.settings import ShapesSettings

TINY = ShapesSettings(
    frame_size=32,
    train_clips_per_class=2,
    validation_clips_per_class=1,
    test_clips_per_class=1,
    pretrain_clips_per_class=1,
)


def test_pixels_are_pinned() -> None:
    frames = render_clip(ShapesSettings(), ShapesClipKey("train", 3, 7))
    assert frames.shape == (12, 48, 48, 3)
    assert hashlib.sha256(frames.tobytes()).hexdigest()[:16] == "106d477cbd0b714a"


def test_a_clip_depends_on_its_key_and_the_seed_alone() -> None:
    key = ShapesClipKey("test", 0, 2)
    more_clips = ShapesSettings(train_clips_per_class=7)
    assert np.array_equal(render_clip(ShapesSettings(), key), render_clip(more_clips, key))
    assert not np.array_equal(render_clip(ShapesSettings(), key), render_clip(ShapesSettings(seed=1), key))
    assert not np.array_equal(
        render_clip(ShapesSettings(), key), render_clip(ShapesSettings(), ShapesClipKey("train", 0, 2))
    )


def test_every_class_has_its_count_in_every_part() -> None:
    counts = Counter((key.part, key.label) for key in shapes_clip_keys(TINY))
    expected = {"pretrain": 1, "train": 2, "validation": 1, "test": 1}
    assert counts == {(part, label): n for part, n in expected.items() for label in range(len(CLASSES))}


def test_motions_of_opposite_sense_are_the_same_clip_backwards_in_kind() -> None:
    """Zooming in grows the bright object, zooming out shrinks it."""
    for label, grows in ((CLASSES.index("4_lobes_zoom_in"), True), (CLASSES.index("4_lobes_zoom_out"), False)):
        changes = []
        for group in range(8):
            frames = render_clip(ShapesSettings(), ShapesClipKey("train", group, label)).astype(int)
            areas = (frames.max(axis=3) > 150).sum(axis=(1, 2))
            changes.append(int(areas[-1]) - int(areas[0]))
        assert (np.mean(changes) > 0) == grows
