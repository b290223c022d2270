"""What the embedded data set is drawn with: dice, textures, outlines, and loops over pixels in integers alone.

The random bits are those of PCG64, whose stream numpy guarantees, and no number is a float once the sines are rounded,
so that the pixels are the same bytes on every machine.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from math import pi, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cdkd.video.jit import jit

Ints = NDArray[np.int64]
Pixels = NDArray[np.uint8]

ONE: Final = 1 << 12  # fixed point: 4096 is 1.0
TURN: Final = 4096  # angles are in 4096ths of a turn
_SINE = np.array([round(sin(2 * pi * i / TURN) * ONE) for i in range(TURN)], dtype=np.int64)
TILE: Final = 64  # side of a texture tile and of a sprite, in texels


class Dice:
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


def sine(angle: int) -> int:
    """Fixed point, of an angle in 4096ths of a turn."""
    return int(_SINE[angle % TURN])


def cosine(angle: int) -> int:
    """Fixed point, of an angle in 4096ths of a turn."""
    return sine(angle + TURN // 4)


def smooth_tile(dice: Dice, cells: int) -> Ints:
    """A wrapping texture tile (TILE, TILE) of values 0..255: random values on a grid, interpolated."""
    knots = dice.grid(cells, cells, low=0, high=255)
    step = TILE // cells
    at = np.arange(TILE)
    low, part = at // step, at % step
    high = (low + 1) % cells
    # Bilinear: first down the rows, (TILE, cells), then along them, (TILE, TILE). The last cell leads back to the
    # first, so tiles repeat without a seam.
    rows: Ints = (knots[low] * (step - part)[:, None] + knots[high] * part[:, None]) // step
    tile: Ints = (rows[:, low] * (step - part) + rows[:, high] * part) // step
    return tile


_FLOWERS: Final = {2: (170, 190, 300), 3: (150, 165, 320), 4: (150, 140, 340)}
"""Lobes -> hub radius, lobe radius and lobe distance in 16ths of a texel; fewer lobes are fatter, for like areas."""


@lru_cache
def lobed_mask(lobes: int) -> Ints:
    """Opacity 0..255 of a flower (TILE, TILE): a hub and `lobes` discs around it, edges one texel soft.

    Drawn once for all clips, which only read it.
    """
    hub, lobe, distance = _FLOWERS[lobes]
    discs = [(0, 0, hub)]
    for k in range(lobes):
        angle = k * TURN // lobes
        discs.append((distance * cosine(angle) // ONE, distance * sine(angle) // ONE, lobe))
    return _discs_mask(discs)


@lru_cache
def round_mask(radius: int = 400) -> Ints:
    """Opacity 0..255 of a disc (TILE, TILE); `radius` in 16ths of a texel."""
    return _discs_mask([(0, 0, radius)])


def _discs_mask(discs: list[tuple[int, int, int]]) -> Ints:
    """Of the union of discs (x, y, radius) in 16ths of a texel from the middle."""
    y, x = np.mgrid[0:TILE, 0:TILE] * 16 - (TILE * 8 - 8)
    inside: Ints = np.full((TILE, TILE), -(1 << 30), dtype=np.int64)
    for cx, cy, radius in discs:
        # (r^2 - d^2) / 2r is about r - d near the edge: the distance from it, without a square root.
        inside = np.maximum(inside, (radius**2 - (x - cx) ** 2 - (y - cy) ** 2) // (2 * radius))
    opacity: Ints = np.clip(inside * 16 + 128, 0, 255)
    return opacity


def two_colours(dice: Dice, darkest: int, brightest: int) -> Ints:
    """Two colours (2, 3), every channel of the first in darkest..brightest, of the second 30 to 60 levels above."""
    first = dice.grid(3, low=darkest, high=brightest)
    return np.stack([first, first + dice.grid(3, low=30, high=60)])


@dataclass(frozen=True)
class Pose:
    """An object in one frame: centre in pixels and half size in pixels (fixed point), angle in 4096ths of a turn."""

    x: int
    y: int
    radius: int
    angle: int = 0


@dataclass(frozen=True)
class Sprite:
    """Looks of an object: opacity and texture tiles (TILE, TILE), two colours (2, 3) between which texture blends."""

    mask: Ints
    texture: Ints
    colours: Ints


@dataclass(frozen=True)
class Scene:
    """A clip before it is drawn."""

    backdrop: Ints
    """Texture tile (TILE, TILE)."""
    backdrop_colours: Ints
    """(2, 3)."""
    backdrop_shifts: Ints
    """(frames, 2): x and y in pixels, fixed point."""
    objects: list[list[tuple[Sprite, Pose]]]
    """Frame by frame what is in front of the backdrop, from back to front."""
    noise: int
    """Largest change of a pixel's level."""


def draw(scene: Scene, size: int, dice: Dice) -> Pixels:
    """The scene's frames (frames, size, size, 3), RGB; `dice` draws flicker and noise, frame by frame."""
    frames = np.empty((len(scene.objects), size, size, 3), dtype=np.uint8)
    canvas = np.empty((size, size, 3), dtype=np.int64)
    for t, objects in enumerate(scene.objects):
        shift_x, shift_y = (int(shift) for shift in scene.backdrop_shifts[t])
        _paint_backdrop(canvas, scene.backdrop, scene.backdrop_colours, shift_x, shift_y, 48 * ONE // size)
        for sprite, pose in objects:
            turned = cosine(pose.angle), sine(pose.angle)
            _paint(canvas, sprite.mask, sprite.texture, sprite.colours, pose.x, pose.y, pose.radius, *turned)
        flicker = dice.between(244, 268)
        noise = dice.grid(size, size, 1, low=-scene.noise, high=scene.noise)
        frames[t] = np.clip(canvas * flicker // 256 + noise, 0, 255)
    return frames


# The loops below call each other within this file alone: numba notices an edit only of the file that it compiled.
@jit
def _bilinear(top_left: int, top_right: int, left: int, right: int, fx: int, fy: int) -> int:
    # Two weights of 8 bits each, so the sum is shifted back by 16.
    top = top_left * (256 - fx) + top_right * fx
    bottom = left * (256 - fx) + right * fx
    return (top * (256 - fy) + bottom * fy) >> 16


@jit
def _wrapped(tile: Ints, u: int, v: int) -> int:
    """A bilinear sample of a repeating tile (TILE, TILE) at fixed-point texel positions u (x) and v (y)."""
    x, y = (u >> 12) % TILE, (v >> 12) % TILE
    right, below = (x + 1) % TILE, (y + 1) % TILE
    fx, fy = (u & (ONE - 1)) >> 4, (v & (ONE - 1)) >> 4  # 0..255
    return _bilinear(tile[y, x], tile[y, right], tile[below, x], tile[below, right], fx, fy)


@jit
def _texel(tile: Ints, x: int, y: int) -> int:
    if 0 <= x < TILE and 0 <= y < TILE:
        return int(tile[y, x])
    return 0


@jit
def _bounded(tile: Ints, u: int, v: int) -> int:
    """The same of a tile that is 0 outside."""
    x, y = u >> 12, v >> 12
    fx, fy = (u & (ONE - 1)) >> 4, (v & (ONE - 1)) >> 4
    return _bilinear(
        _texel(tile, x, y), _texel(tile, x + 1, y), _texel(tile, x, y + 1), _texel(tile, x + 1, y + 1), fx, fy
    )


@jit
def _paint_backdrop(canvas: Ints, tile: Ints, colours: Ints, shift_x: int, shift_y: int, texels_per_pixel: int) -> None:
    """Fills `canvas` (H, W, 3); `texels_per_pixel` in fixed point."""
    for row in range(canvas.shape[0]):
        v = (row * ONE - shift_y) * texels_per_pixel >> 12
        for column in range(canvas.shape[1]):
            blend = _wrapped(tile, (column * ONE - shift_x) * texels_per_pixel >> 12, v)
            for channel in range(3):
                mixed = colours[0, channel] * (255 - blend) + colours[1, channel] * blend
                canvas[row, column, channel] = mixed // 255


@jit
def _paint(
    canvas: Ints, mask: Ints, texture: Ints, colours: Ints, x: int, y: int, radius: int, cos: int, sin_: int
) -> None:
    """Puts a sprite on top of `canvas` (H, W, 3)."""
    half = TILE // 2
    middle = half * ONE - ONE // 2
    # A square that holds the sprite however it is turned: its corners are sqrt(2) < 3 / 2 radii away.
    reach = 3 * radius // 2 + ONE
    top, bottom = max(0, (y - reach) >> 12), min(canvas.shape[0], ((y + reach) >> 12) + 1)
    left, right = max(0, (x - reach) >> 12), min(canvas.shape[1], ((x + reach) >> 12) + 1)
    for row in range(top, bottom):
        dy = row * ONE - y
        for column in range(left, right):
            dx = column * ONE - x
            # Texels per pixel = half / radius; rotate into the sprite's axes, then scale.
            u = ((cos * dx + sin_ * dy) >> 12) * half * ONE // radius + middle
            v = ((cos * dy - sin_ * dx) >> 12) * half * ONE // radius + middle
            alpha = _bounded(mask, u, v)
            if alpha == 0:
                continue
            blend = _wrapped(texture, u, v)
            for channel in range(3):
                colour = (colours[0, channel] * (255 - blend) + colours[1, channel] * blend) // 255
                canvas[row, column, channel] = (canvas[row, column, channel] * (255 - alpha) + colour * alpha) // 255
