"""Memory is used again when nobody holds it, and never before."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.video.memory import Pool, empty_array


def address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


def test_shape_type_and_writing() -> None:
    array = empty_array((3, 5, 2), np.int16, Pool(1000))
    array[:] = np.arange(30).reshape(3, 5, 2)
    assert (array.shape, array.dtype, array.flags.c_contiguous) == ((3, 5, 2), np.int16, True)
    assert array.ravel().tolist() == list(range(30))
    assert empty_array((0, 4), np.uint8, Pool(1000)).shape == (0, 4)


def test_memory_comes_back_when_the_last_view_is_gone() -> None:
    pool = Pool(1000)
    first = empty_array((6, 10), np.uint8, pool)
    place, view = address(first), first[2:4].transpose(1, 0)[3:]
    view[:] = 7
    del first
    # A view of a view still holds it.
    assert pool.num_bytes == 0
    other = empty_array((6, 10), np.uint8, pool)
    other[:] = 1
    assert address(other) != place
    assert (view == 7).all()
    del view
    assert pool.num_bytes == 60
    assert address(empty_array((4, 15), np.uint8, pool)) == place


def test_only_equal_sizes_are_used_again() -> None:
    pool = Pool(1000)
    del_me = empty_array((60,), np.uint8, pool)
    del del_me
    kept = empty_array((61,), np.uint8, pool)
    assert pool.num_bytes == 60
    del kept
    assert pool.num_bytes == 121


def test_no_more_than_the_limit_waits() -> None:
    pool = Pool(100)
    arrays = [empty_array((40,), np.uint8, pool) for _ in range(3)]
    waiting = []
    while arrays:
        arrays.pop()
        waiting.append(pool.num_bytes)
    # The third would make it 120: the two before are let go.
    assert waiting == [40, 80, 40]
    large = empty_array((101,), np.uint8, pool)
    del large
    assert pool.num_bytes == 0
