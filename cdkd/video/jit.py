"""Compiles array loops to machine code, cached on disk wherever a cache can be written."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def native(function: Function) -> Function:
    """`function` compiled on its first call, without the interpreter lock.

    The machine code is kept beside the module or, where that folder is read-only, in the user's cache folder
    (or in `NUMBA_CACHE_DIR`). With no writable folder at all it is compiled anew in each process.
    """
    compiled: Any
    try:
        compiled = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba's "no locator available": nowhere to keep the machine code
        compiled = numba.njit(nogil=True)(function)
    return cast(Function, compiled)
