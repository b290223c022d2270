"""The embedded data set: moving lobed shapes whose class needs appearance and motion together.

A class is a number of lobes (three or five) and a motion (rotate, zoom or orbit, in either sense). One frame tells the
lobes, only time tells the motion. Nuisances: texture, colours, size, place, speed, a drifting textured background under
a camera that wanders, a round distractor, flicker and noise. All arithmetic is on integers and the random bits are
those of PCG64, whose stream numpy guarantees, so the pixels are the same bytes on every machine.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import pi, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cdkd.settings import ShapesSettings

Ints = NDArray[np.int64]
Pixels = NDArray[np.uint8]

LOBES: Final = (2, 4)
MOTIONS: Final = ("rotate_left", "rotate_right", "zoom_in", "zoom_out", "orbit_left", "orbit_right")
CLASSES: Final = tuple(f"{lobes}_lobes_{motion}" for lobes in LOBES for motion in MOTIONS)
PARTS: Final = ("pretrain", "train", "validation", "test")

_ONE = 1 << 12  # fixed point: 4096 is 1.0
_TURN = 4096  # angles are in 4096ths of a turn
_SINE = np.array([round(sin(2 * pi * i / _TURN) * _ONE) for i in range(_TURN)], dtype=np.int64)
_TILE = 64  # side of a texture tile and of a sprite, in texels


@dataclass(frozen=True)
class ShapesClipKey:
    """Which clip: part, group (a scene that holds one clip of every class) and class."""

    part: str
    group: int
    label: int

    @property
    def name(self) -> str:
        """File name without suffix, unique in the data set."""
        return f"{CLASSES[self.label]}_g{self.group:04d}"


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
            for label in range(len(CLASSES)):
                yield ShapesClipKey(part, group, label)


class _Dice:
    """Uniform integers from raw PCG64 bits, seeded by words; the same on every machine and numpy version."""

    def __init__(self, *words: object) -> None:
        digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
        self._bits = np.random.PCG64(int.from_bytes(digest[:16], "little"))

    def between(self, low: int, high: int) -> int:
        """An integer of low..high, both included."""
        # The remainder favours low numbers by less than one in 10^15, and is the same everywhere; numpy's own methods
        # may change with its version.
        return low + int(self._bits.random_raw()) % (high - low + 1)

    def grid(self, *shape: int, low: int, high: int) -> Ints:
        """An array of integers of low..high, both included."""
        raw = self._bits.random_raw(int(np.prod(shape)))
        drawn: Ints = ((raw >> np.uint64(11)) % np.uint64(high - low + 1)).astype(np.int64).reshape(shape)
        return low + drawn


def _smooth_tile(dice: _Dice, cells: int) -> Ints:
    """A wrapping texture tile (_TILE, _TILE) of values 0..255: random values on a grid, interpolated."""
    knots = dice.grid(cells, cells, low=0, high=255)
    step = _TILE // cells
    at = np.arange(_TILE)
    low, part = at // step, at % step
    high = (low + 1) % cells
    # Bilinear: first down the rows, (_TILE, cells), then along them, (_TILE, _TILE). The last cell leads back to the
    # first, so tiles repeat without a seam.
    rows: Ints = (knots[low] * (step - part)[:, None] + knots[high] * part[:, None]) // step
    tile: Ints = (rows[:, low] * (step - part) + rows[:, high] * part) // step
    return tile


def _lobed_mask(lobes: int) -> Ints:
    """Opacity 0..255 of a flower (_TILE, _TILE): a hub and `lobes` discs around it, edges one texel soft."""
    centre, span = _TILE * 8 - 8, 16  # coordinates in 16ths of a texel
    y, x = np.mgrid[0:_TILE, 0:_TILE] * span - centre
    # (hub radius, lobe radius, lobe distance) in 16ths; fewer lobes are fatter, so that the areas are alike.
    hub, lobe, distance = {2: (170, 190, 300), 4: (150, 140, 340)}[lobes]
    discs = [(0, 0, hub)]
    for k in range(lobes):
        angle = k * _TURN // lobes
        discs.append((distance * _cosine(angle) // _ONE, distance * _sine(angle) // _ONE, lobe))
    inside: Ints = np.full((_TILE, _TILE), -(1 << 30), dtype=np.int64)
    for cx, cy, radius in discs:
        # (r^2 - d^2) / 2r is about r - d near the edge: the distance from it, without a square root.
        inside = np.maximum(inside, (radius**2 - (x - cx) ** 2 - (y - cy) ** 2) // (2 * radius))
    opacity: Ints = np.clip(inside * 16 + 128, 0, 255)
    return opacity


def _round_mask() -> Ints:
    y, x = np.mgrid[0:_TILE, 0:_TILE] * 16 - (_TILE * 8 - 8)
    opacity: Ints = np.clip(((400**2 - x**2 - y**2) // 800) * 16 + 128, 0, 255)
    return opacity


def _sine(angle: int) -> int:
    return int(_SINE[angle % _TURN])


def _cosine(angle: int) -> int:
    return int(_SINE[(angle + _TURN // 4) % _TURN])


def _sample(tile: Ints, u: Ints, v: Ints, wrap: bool) -> Ints:
    """Bilinear samples of a tile (_TILE, _TILE, ...) at fixed-point texel positions u (x) and v (y)."""
    x0, y0 = u >> 12, v >> 12
    fx, fy = (u & (_ONE - 1)) >> 4, (v & (_ONE - 1)) >> 4  # 0..255

    def texel(y: Ints, x: Ints) -> Ints:
        if wrap:
            return tile[y % _TILE, x % _TILE]
        inside = (x >= 0) & (x < _TILE) & (y >= 0) & (y < _TILE)
        clamped: Ints = np.where(inside, tile[np.clip(y, 0, _TILE - 1), np.clip(x, 0, _TILE - 1)], 0)
        return clamped

    # Two weights of 8 bits each, so the sum is shifted back by 16.
    top = texel(y0, x0) * (256 - fx) + texel(y0, x0 + 1) * fx
    bottom = texel(y0 + 1, x0) * (256 - fx) + texel(y0 + 1, x0 + 1) * fx
    sampled: Ints = (top * (256 - fy) + bottom * fy) >> 16
    return sampled


@dataclass(frozen=True)
class _Pose:
    """An object in one frame: centre in pixels and half size in pixels (fixed point), angle in 4096ths of a turn."""

    x: int
    y: int
    radius: int
    angle: int


@dataclass(frozen=True)
class _Sprite:
    """Looks of an object: opacity and texture tiles (_TILE, _TILE), two colours (3,) between which texture blends."""

    mask: Ints
    texture: Ints
    colours: Ints


def _paint(canvas: Ints, pose: _Pose, sprite: _Sprite) -> Ints:
    """`canvas` (H, W, 3) with the sprite on top."""
    size = canvas.shape[0]
    y, x = np.mgrid[0:size, 0:size] * _ONE
    dx, dy = x - pose.x, y - pose.y
    cos, sin_ = _cosine(pose.angle), _sine(pose.angle)
    half = _TILE // 2
    # Texels per pixel = half / radius; rotate into the sprite's axes, then scale.
    u = ((cos * dx + sin_ * dy) >> 12) * half * _ONE // pose.radius + (half * _ONE - _ONE // 2)
    v = ((cos * dy - sin_ * dx) >> 12) * half * _ONE // pose.radius + (half * _ONE - _ONE // 2)
    alpha = _sample(sprite.mask, u, v, wrap=False)[..., None]
    blend = _sample(sprite.texture, u, v, wrap=True)[..., None]
    colour = (sprite.colours[0] * (255 - blend) + sprite.colours[1] * blend) // 255
    painted: Ints = (canvas * (255 - alpha) + colour * alpha) // 255
    return painted


def _poses(motion: str, num_frames: int, size: int, dice: _Dice) -> list[_Pose]:
    """The target's path: one motion of MOTIONS at random speed, phase, size and place."""
    pixel = size * _ONE // 48  # one pixel at 48, scaled with the frame
    margin = 5
    x = size * _ONE // 2 + dice.between(-margin * 16, margin * 16) * pixel // 16
    y = size * _ONE // 2 + dice.between(-margin * 16, margin * 16) * pixel // 16
    radius = dice.between(12 * 16, 15 * 16) * pixel // 16
    angle = dice.between(0, _TURN - 1)
    kind, _, sense = motion.partition("_")
    sign = -1 if sense in ("left", "out") else 1
    turn = sign * dice.between(50, 110)  # 4.4 to 9.7 degrees a frame
    growth = dice.between(24, 44)  # per mille of the radius a frame
    orbit_radius = dice.between(5 * 16, 7 * 16) * pixel // 16
    orbit_turn = sign * dice.between(200, 300)  # 17.6 to 26.4 degrees a frame
    phase = dice.between(0, _TURN - 1)
    poses = []
    for t in range(num_frames):
        pose = _Pose(x, y, radius, angle)
        if kind == "rotate":
            pose = _Pose(x, y, radius, angle + turn * t)
        elif kind == "zoom":
            step = t - num_frames // 2
            pose = _Pose(x, y, radius * (1000 + sign * growth * step) // 1000, angle)
        elif kind == "orbit":
            at = phase + orbit_turn * t
            pose = _Pose(x + orbit_radius * _cosine(at) // _ONE, y + orbit_radius * _sine(at) // _ONE, radius, angle)
        poses.append(pose)
    return poses


def _colours(dice: _Dice, darkest: int, brightest: int) -> Ints:
    """Two colours (2, 3), every channel of the first in darkest..brightest, of the second 30 to 60 levels above."""
    first = dice.grid(3, low=darkest, high=brightest)
    return np.stack([first, first + dice.grid(3, low=30, high=60)])


def render_clip(settings: ShapesSettings, key: ShapesClipKey) -> Pixels:
    """The clip's frames (num_frames, H, W, 3), RGB; a function of the settings' version, seed, size and the key."""
    # 1. What a group shares, its background and textures, comes from one stream; what is a clip's own from another. So
    # neither the scene nor how it was drawn tells the class.
    scene = _Dice(settings.version, settings.seed, key.part, key.group)
    own = _Dice(settings.version, settings.seed, key.part, key.group, key.label)
    size, num_frames = settings.frame_size, settings.num_frames
    lobes, motion = LOBES[key.label // len(MOTIONS)], MOTIONS[key.label % len(MOTIONS)]
    backdrop, backdrop_colours = _smooth_tile(scene, 16), _colours(scene, 10, 80)
    target = _Sprite(_lobed_mask(lobes), _smooth_tile(scene, 8), _colours(own, 80, 185))
    distractor = _Sprite(_round_mask(), _smooth_tile(scene, 8), _colours(own, 80, 185))

    # 2. Where everything goes, drawn in this order; flicker and noise follow frame by frame.
    poses = _poses(motion, num_frames, size, own)
    pixel = size * _ONE // 48
    camera = np.cumsum(own.grid(num_frames, 2, low=-_ONE // 3, high=_ONE // 3), axis=0) * pixel // _ONE
    drift = own.grid(2, low=-_ONE // 3, high=_ONE // 3) * pixel // _ONE
    wander = own.grid(2, low=-_ONE // 2, high=_ONE // 2) * pixel // _ONE
    start = own.grid(2, low=0, high=(size - 1) * _ONE)
    # 3. Frame by frame, from back to front: background, distractor, target, flicker and noise.
    texels_per_pixel = 48 * _ONE // size
    y, x = np.mgrid[0:size, 0:size] * _ONE
    frames = np.empty((num_frames, size, size, 3), dtype=np.uint8)
    for t in range(num_frames):
        shift = camera[t] + drift * t
        tile = _sample(
            backdrop, (x - shift[0]) * texels_per_pixel >> 12, (y - shift[1]) * texels_per_pixel >> 12, wrap=True
        )[..., None]
        canvas = (backdrop_colours[0] * (255 - tile) + backdrop_colours[1] * tile) // 255
        at = start + wander * t + camera[t]
        canvas = _paint(canvas, _Pose(int(at[0]), int(at[1]), 6 * pixel, 0), distractor)
        pose = poses[t]
        canvas = _paint(
            canvas, _Pose(pose.x + int(camera[t][0]), pose.y + int(camera[t][1]), pose.radius, pose.angle), target
        )
        canvas = canvas * own.between(244, 268) // 256 + own.grid(size, size, 1, low=-4, high=4)
        frames[t] = np.clip(canvas, 0, 255)
    return frames
