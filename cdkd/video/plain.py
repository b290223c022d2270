"""The operations of `simd.py` and `simd_colour.py` as plain loops, which any numba compiles to the same numbers.

They stand in where the ones written by hand cannot be compiled (`row_operations.py`), and show a reader what those do.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from cdkd.video.jit import jit

PIXELS = 32


def _row_adder(count: int) -> Callable[..., None]:
    @jit
    def add_row(source: Any, y: Any, x: Any, value: Any, target: Any, row: Any, column: Any) -> None:
        for index in range(np.uint64(count)):
            target[row, column + index] = source[y, x + index] + value

    return add_row


def _row_averager(count: int, down: int, right: int) -> Callable[..., None]:
    """A row's mean with its neighbours below, to the right or both; `bias` is added before the division."""
    below, beside, shift = np.uint64(down), np.uint64(right), np.uint64(down + right)

    @jit
    def average_row(source: Any, y: Any, x: Any, bias: Any, target: Any, row: Any, column: Any) -> None:
        for index in range(np.uint64(count)):
            here = x + index
            total = bias + source[y, here]
            # `right` and `down` are constants when this is compiled: the other branches are not there.
            if right:
                total += source[y, here + beside]
            if down:
                total += source[y + below, here]
            if right and down:
                total += source[y + below, here + beside]
            target[row, column + index] = total >> shift

    return average_row


add_row_8 = _row_adder(8)
add_row_16 = _row_adder(16)
copy_row_8, copy_row_16 = _row_averager(8, 0, 0), _row_averager(16, 0, 0)
mean_right_8, mean_right_16 = _row_averager(8, 0, 1), _row_averager(16, 0, 1)
mean_down_8, mean_down_16 = _row_averager(8, 1, 0), _row_averager(16, 1, 0)
mean_square_8, mean_square_16 = _row_averager(8, 1, 1), _row_averager(16, 1, 1)


@jit
def level(luma: Any, chroma: Any, channel: Any, column: Any) -> Any:
    """One pixel's red (0), green (1) or blue (2).

    Args:
        luma: factor * (Y - black), in 1/8192.
        chroma: (6, W) int16, as `simd_colour.py` takes it.
    """
    value = (luma + 8192 * np.int64(chroma[channel, column]) + chroma[3 + channel, column]) >> 13
    return min(max(value, 0), 255)


@jit
def rgb_32(luma: Any, row: Any, chroma: Any, column: Any, black: Any, factor: Any, out: Any, height: Any) -> None:
    """As `simd_colour.rgb_32`."""
    for index in range(column, column + np.uint64(PIXELS)):
        scaled = np.int64(factor) * (np.int64(luma[row, index]) - np.int64(black))
        for channel in range(np.uint64(3)):
            out[channel * height + row, index] = level(scaled, chroma, channel, index)


@jit
def difference_32(
    luma1: Any, chroma1: Any, luma2: Any, chroma2: Any, row: Any, column: Any, black: Any, factor: Any, out: Any,
    height: Any,
) -> None:  # fmt: skip
    """As `simd_colour.difference_32`."""
    for index in range(column, column + np.uint64(PIXELS)):
        scaled1 = np.int64(factor) * (np.int64(luma1[row, index]) - np.int64(black))
        scaled2 = np.int64(factor) * (np.int64(luma2[row, index]) - np.int64(black))
        for channel in range(np.uint64(3)):
            first, second = level(scaled1, chroma1, channel, index), level(scaled2, chroma2, channel, index)
            out[channel * height + row, index] = first - second
