"""Thirty-two pixels of luma and chroma become red, green or blue at once, in numbers of 16 bits throughout.

A channel is (L + C) >> 13 with a part L that follows from luma and a part C that follows from chroma. Each needs more
than 16 bits, but not its upper part, in multiples of 8192, nor the rest below, and so the sum is taken by halves:

    (L + C) >> 13  =  upper(L) + upper(C) + ((rest(L) + rest(C)) >> 13)

Nothing is checked here: the caller sees to it that all pixels exist and lie next to each other in memory.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from cdkd.video.simd import check_matrix, pointer, splat, store

PIXELS = 32
_BYTES, _PAIRS, _WORDS = (ir.VectorType(ir.IntType(bits), PIXELS) for bits in (8, 16, 32))
_PLACE = (types.uint64, types.uint64)


def _constant(value: int, lanes: ir.VectorType = _PAIRS) -> Any:
    return ir.Constant(lanes, [value] * PIXELS)


def _luma_parts(builder: Any, place: Any, black: Any, factor: Any) -> tuple[Any, Any]:
    """Upper part and rest of factor * (Y - black); `black` and `factor` fill 16 bits each."""
    luma = builder.sub(builder.zext(builder.load(place, align=1), _PAIRS), splat(builder, black, _PAIRS))
    factors = splat(builder, factor, _PAIRS)
    rest = builder.and_(builder.mul(luma, factors), _constant(8191))
    # (8 * factor * luma) >> 16, which is one instruction.
    eight = builder.sext(builder.shl(luma, _constant(3)), _WORDS)
    product = builder.mul(eight, builder.sext(factors, _WORDS))
    return builder.trunc(builder.ashr(product, _constant(16, _WORDS)), _PAIRS), rest


def _level(builder: Any, luma: tuple[Any, Any], upper: Any, rest: Any) -> Any:
    """The channel, clamped to 0..255, in 16 bits."""
    carry = builder.lshr(builder.add(luma[1], builder.load(rest, align=2)), _constant(13))
    level = builder.add(builder.add(luma[0], builder.load(upper, align=2)), carry)
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


def _difference_writer(is_streamed: bool) -> Any:
    def difference_32(
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
            for first in (0, 2):
                values = (arguments[first], place, arguments[first + 1])
                types_of = (kinds[first], None, kinds[first + 1])
                pictures.append(_three_levels(context, builder, types_of, values, column, arguments[6:8]))
            for one, other in zip(*pictures, strict=True):
                there = pointer(context, builder, kinds[8], arguments[8], (place, column), _PAIRS)
                store(builder, builder.sub(one, other), there, 2, is_streamed)
                place = builder.add(place, arguments[9])
            return context.get_dummy_value()

        arrays = (luma1, chroma1, luma2, chroma2)
        return types.void(*arrays, *_PLACE, types.uint64, types.uint64, out, types.uint64), generate

    return intrinsic(difference_32)


# Plain callables to who checks types: the first argument, numba's own, is not passed by callers.
rgb_32: Callable[..., None] = intrinsic(_rgb_32)
difference_32: Callable[..., None] = _difference_writer(is_streamed=False)
stream_difference_32: Callable[..., None] = _difference_writer(is_streamed=True)
"""The address written to has to be a multiple of 64 bytes."""
