"""Version 2: a lobed object lies on its back or on its face, and turns over in one of four rhythms while it slides.

    steady    shows its lobes from the second frame on      return    turns over, and back again
    once      turns over once, in the middle                swing     turns over every two or three frames

The lobes are the look, the rhythm the movement. Its back is a round disc, whatever the lobes are. What each of a
student's inputs tells:

* The I-frame shows the lobes of half of the clips alone; in the others the object begins on its face.
* Motion vectors tell of slides, of the object and of a round distractor. Both have courses of their own, which tell
  nothing of the class.
* Residuals show where an object turned over, and what it looks like since: from them and from the I-frame both lobes
  and rhythm can be told.
"""

import numpy as np

from cdkd.data.shapes.drawing import (
    ONE,
    TURN,
    Dice,
    Ints,
    Pose,
    Scene,
    Sprite,
    cosine,
    lobed_mask,
    round_mask,
    sine,
    smooth_tile,
    two_colours,
)

_COURSES = ("even", "there and back", "at rest and away")


def scene(lobes: int, rhythm: str, num_frames: int, size: int, shared: Dice, own: Dice) -> Scene:
    """A clip's scene: what its group shares is drawn from one dice, what is its own from another.

    So neither the scene nor how it was drawn tells the class.
    """
    pixel = size * ONE // 48  # one pixel at 48, scaled with the frame
    backdrop, backdrop_colours = smooth_tile(shared, 16), two_colours(shared, 10, 80)
    texture, colours = smooth_tile(shared, 8), two_colours(own, 80, 185)
    face, back = (Sprite(mask, texture, colours) for mask in (lobed_mask(lobes), round_mask()))
    distractor = Sprite(round_mask(), smooth_tile(shared, 8), two_colours(own, 80, 185))
    radius = own.between(12 * 16, 15 * 16) * pixel // 16
    angle = own.between(0, TURN - 1)
    path = _slide(num_frames, size, 5, own)
    distractor_path = _slide(num_frames, size, 20, own)
    shows_face = _faces(rhythm, num_frames, own)
    camera = np.cumsum(own.grid(num_frames, 2, low=-ONE // 3, high=ONE // 3), axis=0) * pixel // ONE
    drift = own.grid(2, low=-ONE // 3, high=ONE // 3) * pixel // ONE
    objects = []
    for t in range(num_frames):
        (x, y), (other_x, other_y) = path[t] + camera[t], distractor_path[t] + camera[t]
        objects.append(
            [
                (distractor, Pose(int(other_x), int(other_y), 8 * pixel)),
                (face if shows_face[t] else back, Pose(int(x), int(y), radius, angle)),
            ]
        )
    return Scene(backdrop, backdrop_colours, camera + drift * np.arange(num_frames)[:, None], objects, noise=4)


def _faces(rhythm: str, num_frames: int, dice: Dice) -> list[bool]:
    """Whether the object shows its lobes, by frame; it begins with them in half of the clips."""
    begins_with_face = dice.between(0, 1) == 1
    # Drawn for every rhythm, so that the dice tell nothing of it. In twelfths of the clip.
    middle, first, length = dice.between(4, 8), dice.between(2, 4), dice.between(3, 5)
    beats = np.cumsum(2 + dice.grid(6, low=0, high=1) * dice.grid(6, low=0, high=1))
    turns = {
        # Turned over before the second frame, or never.
        "steady": [] if begins_with_face else [1],
        "once": [middle],
        "return": [first, first + length],
        "swing": beats.tolist(),
    }[rhythm]
    frames = [1 if turn == 1 else turn * num_frames // 12 for turn in turns]
    return [begins_with_face ^ (sum(t >= frame for frame in frames) % 2 == 1) for t in range(num_frames)]


def _slide(num_frames: int, size: int, margin: int, dice: Dice) -> Ints:
    """Places (frames, 2) on a straight path of up to 12 pixels, whose middle is up to `margin` off the centre."""
    pixel = size * ONE // 48
    length = dice.between(4 * 16, 12 * 16) * pixel // 16
    direction = dice.between(0, TURN - 1)
    middle = dice.grid(2, low=-margin * 16, high=margin * 16) * pixel // 16 + size * ONE // 2
    times = np.arange(num_frames, dtype=np.int64) * ONE // max(num_frames - 1, 1)  # 0 to 1
    course = _COURSES[dice.between(0, len(_COURSES) - 1)]
    if course == "there and back":
        times = ONE - np.abs(2 * times - ONE)
    elif course == "at rest and away":
        times = np.clip(2 * times - ONE, 0, ONE)
    heading = np.array([cosine(direction), sine(direction)], dtype=np.int64)
    return middle + ((times - ONE // 2) * length // ONE)[:, None] * heading // ONE
