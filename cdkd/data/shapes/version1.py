"""Version 1: a lobed object rotates, zooms or orbits, in either sense; one frame tells the lobes, time the motion.

Nuisances: texture, colours, size, place, speed, a drifting textured background under a camera that wanders, a round
distractor, flicker and noise.
"""

import numpy as np

from cdkd.data.shapes.drawing import (
    ONE,
    TURN,
    Dice,
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


def scene(lobes: int, motion: str, num_frames: int, size: int, shared: Dice, own: Dice) -> Scene:
    """A clip's scene: what its group shares is drawn from one dice, what is its own from another.

    So neither the scene nor how it was drawn tells the class.
    """
    backdrop, backdrop_colours = smooth_tile(shared, 16), two_colours(shared, 10, 80)
    target = Sprite(lobed_mask(lobes), smooth_tile(shared, 8), two_colours(own, 80, 185))
    distractor = Sprite(round_mask(), smooth_tile(shared, 8), two_colours(own, 80, 185))
    # Where everything goes, drawn in this order; flicker and noise follow frame by frame.
    poses = _poses(motion, num_frames, size, own)
    pixel = size * ONE // 48
    camera = np.cumsum(own.grid(num_frames, 2, low=-ONE // 3, high=ONE // 3), axis=0) * pixel // ONE
    drift = own.grid(2, low=-ONE // 3, high=ONE // 3) * pixel // ONE
    wander = own.grid(2, low=-ONE // 2, high=ONE // 2) * pixel // ONE
    start = own.grid(2, low=0, high=(size - 1) * ONE)
    times = np.arange(num_frames)[:, None]
    places = start + wander * times + camera
    return Scene(
        backdrop,
        backdrop_colours,
        camera + drift * times,
        [
            [
                (distractor, Pose(int(place[0]), int(place[1]), 6 * pixel)),
                (target, Pose(pose.x + int(shake[0]), pose.y + int(shake[1]), pose.radius, pose.angle)),
            ]
            for place, pose, shake in zip(places, poses, camera, strict=True)
        ],
        noise=4,
    )


def _poses(motion: str, num_frames: int, size: int, dice: Dice) -> list[Pose]:
    """The target's path at random speed, phase, size and place."""
    pixel = size * ONE // 48  # one pixel at 48, scaled with the frame
    margin = 5
    x = size * ONE // 2 + dice.between(-margin * 16, margin * 16) * pixel // 16
    y = size * ONE // 2 + dice.between(-margin * 16, margin * 16) * pixel // 16
    radius = dice.between(12 * 16, 15 * 16) * pixel // 16
    angle = dice.between(0, TURN - 1)
    kind, _, sense = motion.partition("_")
    sign = -1 if sense in ("left", "out") else 1
    turn = sign * dice.between(50, 110)  # 4.4 to 9.7 degrees a frame
    growth = dice.between(24, 44)  # per mille of the radius a frame
    orbit_radius = dice.between(5 * 16, 7 * 16) * pixel // 16
    orbit_turn = sign * dice.between(200, 300)  # 17.6 to 26.4 degrees a frame
    phase = dice.between(0, TURN - 1)
    poses = []
    for t in range(num_frames):
        pose = Pose(x, y, radius, angle)
        if kind == "rotate":
            pose = Pose(x, y, radius, angle + turn * t)
        elif kind == "zoom":
            step = t - num_frames // 2
            pose = Pose(x, y, radius * (1000 + sign * growth * step) // 1000, angle)
        elif kind == "orbit":
            at = phase + orbit_turn * t
            pose = Pose(x + orbit_radius * cosine(at) // ONE, y + orbit_radius * sine(at) // ONE, radius, angle)
        poses.append(pose)
    return poses
