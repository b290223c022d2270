"""Eight and sixteen neighbours at once: by hand, and refused where they are not what is meant."""

from typing import Any

import numba
import numpy as np
import pytest
from numba.core.errors import TypingError

from cdkd.video import simd

SOURCE = np.random.default_rng(0).integers(0, 256, (4, 40), dtype=np.uint8)


def run_mean(operation: Any, bias: int, source: Any = SOURCE) -> Any:
    out = np.full((3, 30), 9, np.uint8)

    @numba.njit  # type: ignore[untyped-decorator]
    def call(source: Any, out: Any, bias: Any) -> None:
        operation(source, np.uint64(1), np.uint64(5), bias, out, np.uint64(2), np.uint64(7))

    call(source, out, np.uint64(bias))
    return out


@pytest.mark.parametrize("count", [8, 16])
@pytest.mark.parametrize(
    ("name", "steps", "bias"),
    [
        ("copy_row", [(0, 0)], 0),
        ("mean_right", [(0, 0), (0, 1)], 1),
        ("mean_down", [(0, 0), (1, 0)], 0),
        ("mean_square", [(0, 0), (0, 1), (1, 0), (1, 1)], 2),
    ],
)
def test_means(count: int, name: str, steps: list[tuple[int, int]], bias: int) -> None:
    out = run_mean(getattr(simd, f"{name}_{count}"), bias)
    expected = np.full((3, 30), 9)
    for index in range(count):
        pixels = [int(SOURCE[1 + down, 5 + right + index]) for down, right in steps]
        expected[2, 7 + index] = (sum(pixels) + bias) // len(pixels)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("count", [8, 16])
def test_addition(count: int) -> None:
    operation = getattr(simd, f"add_row_{count}")
    source, out = np.arange(80, dtype=np.int16).reshape(2, 40), np.zeros((3, 30), np.int16)

    @numba.njit  # type: ignore[untyped-decorator]
    def call(source: Any, out: Any) -> None:
        operation(source, np.uint64(1), np.uint64(3), np.int16(-50), out, np.uint64(0), np.uint64(9))

    call(source, out)
    assert out[0, 9 : 9 + count].tolist() == list(range(43 - 50, 43 - 50 + count))
    assert np.count_nonzero(out) == np.count_nonzero(out[0, 9 : 9 + count])


def test_other_types_are_refused() -> None:
    with pytest.raises(TypingError, match="a matrix of uint8 is needed"):
        run_mean(simd.copy_row_16, 0, SOURCE.astype(np.int16))
    with pytest.raises(TypingError, match="a matrix of uint8 is needed"):
        run_mean(simd.copy_row_16, 0, SOURCE[0])
