"""Thirty-two pixels of luma and chroma become red, green or blue at once, in numbers of 16 bits throughout.

A channel is (L + C) >> 13 with a part L that follows from luma and a part C that follows from chroma. Each needs more
than 16 bits, but not its upper part, in multiples of 8192, nor the rest below, and so the sum is taken by halves:

    (L + C) >> 13  =  upper(L) + upper(C) + ((rest(L) + rest(C)) >> 13)      upper(X) = X >> 13, rest(X) = X & 8191

    1  32 pixels of luma less black, and their factor, 16 bits each
    2  rest(L): the lower 16 bits of the product hold its lower 13
    3  upper(L) = (8 * factor * luma) >> 16: the upper half of a product of 16-bit numbers, one instruction
    4  upper(C) and rest(C) stand ready for the row (`colour._chroma_terms`); the sums, and the carry of the rests
    5  clamped to 0..255

What it buys: an instruction takes twice as many numbers of 16 bits as of 32, which the plain rule needs. The measured
gain stands in `simd.py`.

Nothing is checked here: the caller sees to it that all pixels exist and lie next to each other in memory.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from cdkd.video import simd
from cdkd.video.jit import jit
from cdkd.video.plain import PIXELS
from cdkd.video.simd import check_matrix, pointer, splat

_BYTES, _PAIRS, _WORDS = (ir.VectorType(ir.IntType(bits), PIXELS) for bits in (8, 16, 32))


def _constant(value: int, lanes: ir.VectorType = _PAIRS) -> Any:
    return ir.Constant(lanes, [value] * PIXELS)


def _luma_parts(builder: Any, place: Any, black: Any, factor: Any) -> tuple[Any, Any]:
    """Upper part and rest of factor * (Y - black); `black` and `factor` fill 16 bits each."""
    luma = builder.sub(builder.zext(builder.load(place, align=1), _PAIRS), splat(builder, black, _PAIRS))  # 1
    factors = splat(builder, factor, _PAIRS)
    rest = builder.and_(builder.mul(luma, factors), _constant(8191))  # 2
    # 3. Written with 32 bits, because there is no name for the upper half of a product; the compiler finds it.
    eight = builder.sext(builder.shl(luma, _constant(3)), _WORDS)
    product = builder.mul(eight, builder.sext(factors, _WORDS))
    return builder.trunc(builder.ashr(product, _constant(16, _WORDS)), _PAIRS), rest


def _level(builder: Any, luma: tuple[Any, Any], upper: Any, rest: Any) -> Any:
    """The channel, clamped to 0..255, in 16 bits."""
    # 4
    carry = builder.lshr(builder.add(luma[1], builder.load(rest, align=2)), _constant(13))
    level = builder.add(builder.add(luma[0], builder.load(upper, align=2)), carry)
    # 5
    level = builder.select(builder.icmp_signed("<", level, _constant(0)), _constant(0), level)
    return builder.select(builder.icmp_signed(">", level, _constant(255)), _constant(255), level)


def _three_levels(context: Any, builder: Any, kinds: Any, values: Any, column: Any, rule: Any) -> list[Any]:
    """Red, green and blue; `kinds` and `values`: a matrix of luma, its row, chroma's parts."""
    place = pointer(context, builder, kinds[0], values[0], (values[1], column), _BYTES)
    luma = _luma_parts(builder, place, *(builder.trunc(value, ir.IntType(16)) for value in rule))
    levels = []
    for channel in range(3):
        upper, rest = (
            pointer(context, builder, kinds[2], values[2], (ir.Constant(ir.IntType(64), row), column), _PAIRS)
            for row in (channel, 3 + channel)
        )
        levels.append(_level(builder, luma, upper, rest))
    return levels


def _rgb_32(
    typing: Any, luma: Any, row: Any, chroma: Any, column: Any, black: Any, factor: Any, out: Any, height: Any
) -> Any:
    """Writes red, green, blue at [row, column] and to its right.

    Args:
        luma: (H, W) uint8.
        row: unsigned; with `column` the place of the first pixel.
        chroma: (6, W) int16: upper parts of red, green, blue at this row, then their rests; rounding included.
        black: the level that is subtracted from luma.
        factor: of luma, in 1/8192.
        out: (3 * H, W) uint8, the channels one below the other.
        height: H.
    """
    check_matrix(luma, types.uint8)
    check_matrix(chroma, types.int16)
    check_matrix(out, types.uint8)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        levels = _three_levels(context, builder, kinds[:3], arguments[:3], arguments[3], arguments[4:6])
        place = arguments[1]
        for level in levels:
            there = pointer(context, builder, kinds[6], arguments[6], (place, arguments[3]), _BYTES)
            builder.store(builder.trunc(level, _BYTES), there, align=1)
            place = builder.add(place, arguments[7])
        return context.get_dummy_value()

    numbers = (types.uint64, types.uint64)
    return types.void(luma, types.uint64, chroma, types.uint64, *numbers, out, types.uint64), generate


def _difference_32(
    typing: Any, luma1: Any, chroma1: Any, luma2: Any, chroma2: Any, row: Any, column: Any, black: Any, factor: Any,
    out: Any, height: Any,
) -> Any:  # fmt: skip
    """The same for the first picture's red, green, blue less the second's; `out` is (3 * H, W) int16."""
    for array, kind in ((luma1, types.uint8), (luma2, types.uint8), (chroma1, types.int16), (chroma2, types.int16)):
        check_matrix(array, kind)
    check_matrix(out, types.int16)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds, (place, column) = signature.args, arguments[4:6]
        pictures = []
        # Both pictures up to their levels, then one subtraction: their RGB is never written to memory.
        for first in (0, 2):
            values = (arguments[first], place, arguments[first + 1])
            types_of = (kinds[first], None, kinds[first + 1])
            pictures.append(_three_levels(context, builder, types_of, values, column, arguments[6:8]))
        for one, other in zip(*pictures, strict=True):
            there = pointer(context, builder, kinds[8], arguments[8], (place, column), _PAIRS)
            builder.store(builder.sub(one, other), there, align=2)
            place = builder.add(place, arguments[9])
        return context.get_dummy_value()

    numbers = (types.uint64,) * 4
    return types.void(luma1, chroma1, luma2, chroma2, *numbers, out, types.uint64), generate


# Plain callables to who checks types: the first argument, numba's own, is not passed by callers.
rgb_32: Callable[..., None] = intrinsic(_rgb_32)
difference_32: Callable[..., None] = intrinsic(_difference_32)


@jit
def _use_all(bytes_: Any, pairs: Any, chroma: Any) -> None:
    none, one = np.uint64(0), np.uint64(1)
    # Only compiled and never run, so the values mean nothing; the types are those of the kernels.
    simd.add_row_8(pairs, none, none, np.int16(1), pairs, one, none)
    simd.add_row_16(pairs, none, none, np.int16(1), pairs, one, none)
    simd.copy_row_8(bytes_, none, none, none, bytes_, one, none)
    simd.copy_row_16(bytes_, none, none, none, bytes_, one, none)
    simd.mean_right_8(bytes_, none, none, one, bytes_, one, none)
    simd.mean_right_16(bytes_, none, none, one, bytes_, one, none)
    simd.mean_down_8(bytes_, none, none, one, bytes_, one, none)
    simd.mean_down_16(bytes_, none, none, one, bytes_, one, none)
    simd.mean_square_8(bytes_, none, none, one, bytes_, one, none)
    simd.mean_square_16(bytes_, none, none, one, bytes_, one, none)
    rgb_32(bytes_, none, chroma, none, one, one, bytes_, one)
    difference_32(bytes_, chroma, bytes_, chroma, none, none, one, one, pairs, one)


def use_all_once() -> None:
    """Compiles a use of each operation of this file and of `simd.py`, and raises whatever that raises."""
    matrices = types.Array(types.uint8, 2, "C"), types.Array(types.int16, 2, "C"), types.Array(types.int16, 2, "C")
    cast(Any, _use_all).compile(matrices)
