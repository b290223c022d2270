"""The embedded data set: a clip's key becomes its pixels. What each version shows stands in the file of its name."""

from collections.abc import Callable
from typing import Final

from cdkd.data.shapes import version1, version2
from cdkd.data.shapes.clip_keys import ShapesClipKey
from cdkd.data.shapes.drawing import Dice, Pixels, Scene, draw
from cdkd.data.shapes.settings import ShapesSettings

_SCENES: Final[dict[int, Callable[[int, str, int, int, Dice, Dice], Scene]]] = {
    1: version1.scene,
    2: version2.scene,
}


def render_clip(settings: ShapesSettings, key: ShapesClipKey) -> Pixels:
    """The clip's frames (num_frames, H, W, 3), RGB; a function of the settings' version, seed, size and the key."""
    lobes, movement = key.look(settings.version)
    shared = Dice(settings.version, settings.seed, key.part, key.group)
    own = Dice(settings.version, settings.seed, key.part, key.group, key.label)
    scene = _SCENES[settings.version](lobes, movement, settings.num_frames, settings.frame_size, shared, own)
    return draw(scene, settings.frame_size, own)
