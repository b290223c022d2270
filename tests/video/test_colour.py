"""Planes become RGB by the stated integer rule."""

import numpy as np
import pytest

from cdkd.video.colour import (
    FULL_601,
    FULL_709,
    STUDIO_601,
    STUDIO_709,
    ColourRule,
    Picture,
    empty_images,
    rgb_difference,
    to_rgb,
)

HEIGHT, WIDTH = 6, 10


def random_picture(seed: int, rule: ColourRule = STUDIO_601, height: int = HEIGHT, width: int = WIDTH) -> Picture:
    draw = np.random.default_rng(seed)
    half = ((height + 1) // 2, (width + 1) // 2)
    planes = [draw.integers(0, 256, shape, dtype=np.uint8) for shape in ((height, width), half, half)]
    return Picture(planes[0], planes[1], planes[2], rule)


def rgb_by_integers(picture: Picture) -> np.ndarray:
    """The rule of the module's first comment in Python's integers, pixel by pixel."""
    rule = picture.rule
    out = np.zeros((*picture.y.shape, 3), np.int64)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            luma = rule.luma * (int(picture.y[row, column]) - rule.black)
            u, v = int(picture.u[row // 2, column // 2]) - 128, int(picture.v[row // 2, column // 2]) - 128
            chroma = (rule.red_v * v, rule.green_u * u + rule.green_v * v, rule.blue_u * u)
            out[row, column] = [min(max((luma + part + 4096) >> 13, 0), 255) for part in chroma]
    return out


@pytest.mark.parametrize("rule", [STUDIO_601, FULL_601, STUDIO_709, FULL_709])
@pytest.mark.parametrize("size", [(6, 10), (5, 9), (4, 16), (3, 17), (34, 70)])
def test_rgb_follows_the_integer_rule(rule: ColourRule, size: tuple[int, int]) -> None:
    picture = random_picture(1, rule, *size)
    out = empty_images(1, *size, 3, np.uint8)[0]
    to_rgb(picture, out)
    np.testing.assert_array_equal(out, rgb_by_integers(picture))


@pytest.mark.parametrize(
    ("rule", "red_weight", "blue_weight", "full"),
    [(STUDIO_601, 0.299, 0.114, False), (FULL_601, 0.299, 0.114, True), (STUDIO_709, 0.2126, 0.0722, False),
     (FULL_709, 0.2126, 0.0722, True)],
)  # fmt: skip
def test_factors_are_those_of_the_standard(rule: ColourRule, red_weight: float, blue_weight: float, full: bool) -> None:
    luma, chroma = (1.0, 1.0) if full else (255 / 219, 255 / 224)
    green_weight = 1 - red_weight - blue_weight
    exact = (
        luma,
        2 * (1 - red_weight) * chroma,
        -2 * (1 - blue_weight) * blue_weight / green_weight * chroma,
        -2 * (1 - red_weight) * red_weight / green_weight * chroma,
        2 * (1 - blue_weight) * chroma,
    )
    np.testing.assert_allclose(np.array(rule[1:]) / 8192, exact, atol=1.0 / 8192)


def test_black_white_and_red() -> None:
    planes = np.array([[16, 235], [81, 81]], np.uint8)
    for u, v, expected in ((128, 128, [[0, 0, 0], [255, 255, 255]]), (90, 240, [[179, 0, 0], [255, 179, 178]])):
        picture = Picture(planes, np.full((1, 1), u, np.uint8), np.full((1, 1), v, np.uint8))
        out = empty_images(1, 2, 2, 3, np.uint8)[0]
        to_rgb(picture, out)
        np.testing.assert_allclose(out[0], expected, atol=1)
    assert tuple(int(x) for x in out[1, 0]) == (254, 0, 0)


@pytest.mark.parametrize("is_aligned", [True, False])
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (4, 16), (7, 45), (4, 32), (6, 96)])
def test_difference_is_that_of_the_two_images(size: tuple[int, int], is_aligned: bool) -> None:
    first, second = (random_picture(seed, STUDIO_601, *size) for seed in (2, 3))
    out = empty_images(1, *size, 3, np.int16)[0]
    if not is_aligned:
        out = (
            empty_images(1, 1, 3 * size[0] * size[1] + 1, 1, np.int16).ravel()[1:].reshape(3, *size).transpose(1, 2, 0)
        )
    rgb_difference(first, second, out)
    np.testing.assert_array_equal(out, rgb_by_integers(first) - rgb_by_integers(second))
    assert out.min() < -128
    assert out.max() > 128


def test_memory_in_another_order_is_refused() -> None:
    with pytest.raises(ValueError, match="channel by channel"):
        to_rgb(random_picture(4), np.empty((HEIGHT, WIDTH, 3), np.uint8))
