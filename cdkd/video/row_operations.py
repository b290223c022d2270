"""The row operations that the kernels are made of: vector instructions written by hand, or plain loops in their stead.

The instructions are built from numba's and llvmlite's internals, which no version promises to keep. In the versions
that they were tested with (setup.cfg asks for these) they are taken. In any other they are compiled once before
anything else, half a second each time a process starts; where something goes wrong there, plain loops take over by
themselves. Both give the same bytes.
"""

import logging
import os
from types import ModuleType

import numba

from cdkd.video import plain
from cdkd.video.jit import PLAIN_VARIABLE

logger = logging.getLogger(__name__)

FIRST_TESTED, FIRST_UNTESTED = (0, 60), (0, 69)
"""Versions of numba; each goes with one of llvmlite."""


def choose_operations() -> tuple[ModuleType, ModuleType]:
    """The modules of the operations on rows and on colours."""
    if os.environ.get(PLAIN_VARIABLE):
        return plain, plain
    try:
        from cdkd.video import simd, simd_colour

        if not FIRST_TESTED <= numba.version_info.short < FIRST_UNTESTED:
            simd_colour.use_all_once()
    except Exception as error:  # whatever their internals have come to
        reason = (str(error).strip() or repr(error)).splitlines()[-1]
        logger.warning("numba does not take cdkd's vector instructions, so videos are read more slowly: %s", reason)
        return plain, plain
    return simd, simd_colour


row_ops, colour_ops = choose_operations()
