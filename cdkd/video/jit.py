"""Compiles array loops to machine code, cached on disk wherever a cache can be written.

numba knows a cached function to be stale when the file changes in which it is written. But the machine code of the
functions that it calls is part of its own, and of their files numba knows nothing:

    residual.py --> motion_blocks.py --> ...      an edit here leaves the code cached for residual.py as it was

So every function's cache carries a digest of all files here that hold compiled code, and of the way in which rows are
handled (`row_operations.py`): after an edit all are compiled anew, once. What was cached before stays on disk unused.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

PLAIN_VARIABLE = "CDKD_PLAIN_KERNELS"
"""Environment variable: 1 asks for plain loops instead of vector instructions written by hand; for comparisons."""


def _sources_digest(folder: Path) -> str:
    """Eight hexadecimal digits of the files that numba compiles code of."""
    digest = hashlib.sha256(os.environ.get(PLAIN_VARIABLE, "").encode())
    for path in sorted(folder.glob("*.py")):
        text = path.read_bytes()
        if b"numba" in text or b"cdkd.video.jit" in text:
            digest.update(text)
    return digest.hexdigest()[:8]


_DIGEST = _sources_digest(Path(__file__).parent)


def jit(function: Function) -> Function:
    """`function` compiled on its first call, without the interpreter lock.

    The machine code is kept beside the module or, where that folder is read-only, in the user's cache folder
    (or in `NUMBA_CACHE_DIR`). With no writable folder at all it is compiled anew in each process.
    """
    # numba names a function's file in the cache by its qualified name.
    cast(Any, function).__qualname__ += f"-{_DIGEST}"
    compiled: Any
    try:
        compiled = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba's "no locator available": nowhere to keep the machine code
        compiled = numba.njit(nogil=True)(function)
    return cast(Function, compiled)
