"""Eight or sixteen neighbours of a row in one machine instruction, for loops too short to be widened by a compiler.

Blocks of video are 8 or 16 pixels wide. A compiled loop over so few asks at each row whether its memory overlaps and
how much of it is left; these operations, in the compiler's own intermediate language (LLVM's), are told:

    1  the addresses of the first element read and of the first one written, from arrays and unsigned indices
    2  8 or 16 elements from there as one vector; bytes are widened to 16 bits, where sums of four of them fit
    3  the arithmetic, on whole vectors
    4  back to the elements' own width, and written as one vector

`plain.py` says the same in loops, and takes over where numba's internals have changed (`row_operations.py`). With the
ones here and in `simd_colour.py` the reader needs, at 320 x 256 pixels, 35 % of the time of plain loops for motion and
residual of a whole file (81 instead of 232 ms for 240 frames), half of it for a training clip and for raw frames, and
78 % for motion alone. To measure it: `cdkd bench reader`, and again with CDKD_PLAIN_KERNELS=1 in the environment.

All take positions as unsigned row and column. Nothing is checked: the caller sees to it that all neighbours exist, and
that neighbours lie next to each other in memory.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.core.errors import NumbaTypeError
from numba.extending import intrinsic

_BYTE, _PAIR = ir.IntType(8), ir.IntType(16)


def pointer(context: Any, builder: Any, kind: Any, array: Any, indices: Any, lanes: ir.VectorType) -> Any:
    """Where an array's element at `indices` and its neighbours to the right lie."""
    view = context.make_array(kind)(context, builder, array)
    get_item_pointer: Any = cgutils.get_item_pointer
    # No wrap-around: unsigned indices are never negative, so nobody has to ask.
    item = get_item_pointer(context, builder, kind, view, list(indices), wraparound=False)
    return builder.bitcast(item, lanes.as_pointer())


def splat(builder: Any, value: Any, lanes: ir.VectorType) -> Any:
    """All lanes hold `value`."""
    first = builder.insert_element(ir.Constant(lanes, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    order = ir.Constant(ir.VectorType(ir.IntType(32), lanes.count), [0] * lanes.count)
    return builder.shuffle_vector(first, ir.Constant(lanes, ir.Undefined), order)


def check_matrix(array: Any, kind: Any) -> None:
    """While a caller is compiled: refuses an argument that is no matrix of `kind`."""
    if not isinstance(array, types.Array) or array.ndim != 2 or array.dtype != kind:
        raise NumbaTypeError(f"a matrix of {kind} is needed, not {array}")


def _row_adder(count: int) -> Any:
    lanes = ir.VectorType(_PAIR, count)

    def add_row(typing: Any, source: Any, y: Any, x: Any, value: Any, target: Any, row: Any, column: Any) -> Any:
        check_matrix(source, types.int16)
        check_matrix(target, types.int16)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            here = pointer(context, builder, kinds[0], arguments[0], arguments[1:3], lanes)  # 1
            there = pointer(context, builder, kinds[4], arguments[4], arguments[5:7], lanes)
            # `align=2` promises no more than an int16's own alignment: blocks begin at any column.
            total = builder.add(builder.load(here, align=2), splat(builder, arguments[3], lanes))  # 2, 3
            builder.store(total, there, align=2)  # 4
            return context.get_dummy_value()

        places = (types.uint64, types.uint64)
        return types.void(source, *places, types.int16, target, *places), generate

    return intrinsic(add_row)


def _row_averager(count: int, steps: tuple[tuple[int, int], ...]) -> Any:
    """A row's mean with its neighbours at `steps` (down, right), `bias` added before the division."""
    lanes, wide = ir.VectorType(_BYTE, count), ir.VectorType(_PAIR, count)
    shift = {1: 0, 2: 1, 4: 2}[len(steps)]

    def average_row(typing: Any, source: Any, y: Any, x: Any, bias: Any, target: Any, row: Any, column: Any) -> Any:
        check_matrix(source, types.uint8)
        check_matrix(target, types.uint8)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            # The bias stands in all lanes from the start, and the pixels are added to it one neighbour after the other.
            total = splat(builder, builder.trunc(arguments[3], _PAIR), wide)
            for down, right in steps:
                row_from = builder.add(arguments[1], ir.Constant(ir.IntType(64), down))
                column_from = builder.add(arguments[2], ir.Constant(ir.IntType(64), right))
                here = pointer(context, builder, kinds[0], arguments[0], (row_from, column_from), lanes)  # 1
                pixels = builder.load(here, align=1)  # 2
                total = builder.add(total, builder.zext(pixels, wide))
            # At most 4 * 255 + 2: no sum leaves 16 bits, and the division is a shift.
            mean = builder.lshr(total, ir.Constant(wide, [shift] * count))  # 3
            there = pointer(context, builder, kinds[4], arguments[4], arguments[5:7], lanes)
            builder.store(builder.trunc(mean, lanes), there, align=1)  # 4
            return context.get_dummy_value()

        places = (types.uint64, types.uint64)
        return types.void(source, *places, types.uint64, target, *places), generate

    return intrinsic(average_row)


AddRow = Callable[..., None]
AverageRow = Callable[..., None]

add_row_8: AddRow = _row_adder(8)
add_row_16: AddRow = _row_adder(16)

_HERE, _RIGHT, _DOWN, _ACROSS = (0, 0), (0, 1), (1, 0), (1, 1)
copy_row_8: AverageRow = _row_averager(8, (_HERE,))
copy_row_16: AverageRow = _row_averager(16, (_HERE,))
mean_right_8: AverageRow = _row_averager(8, (_HERE, _RIGHT))
mean_right_16: AverageRow = _row_averager(16, (_HERE, _RIGHT))
mean_down_8: AverageRow = _row_averager(8, (_HERE, _DOWN))
mean_down_16: AverageRow = _row_averager(16, (_HERE, _DOWN))
mean_square_8: AverageRow = _row_averager(8, (_HERE, _RIGHT, _DOWN, _ACROSS))
mean_square_16: AverageRow = _row_averager(16, (_HERE, _RIGHT, _DOWN, _ACROSS))
