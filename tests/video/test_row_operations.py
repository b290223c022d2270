"""Vector instructions and plain loops give the same bytes, and the loops take over where numba has changed."""

import hashlib
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
import pytest
from numpy.typing import NDArray
from support.videos import clip, sudden_square

from cdkd.video import plain, row_operations, simd, simd_colour
from cdkd.video.jit import PLAIN_VARIABLE
from cdkd.video.reader import read_gop

DRAW = np.random.default_rng(0)
BYTES, OTHER = DRAW.integers(0, 256, (2, 5, 64), dtype=np.uint8)
MEANS = [f"{name}_{count}" for name in ("copy_row", "mean_right", "mean_down", "mean_square") for count in (8, 16)]


@pytest.mark.parametrize("name", MEANS)
@pytest.mark.parametrize("bias", [0, 1, 2])
def test_means_are_the_same(name: str, bias: int) -> None:
    outs = []
    for operation in (getattr(simd, name), getattr(plain, name)):
        out = np.zeros((4, 40), np.uint8)

        @numba.njit  # type: ignore[untyped-decorator]
        def call(source: Any, out: Any, bias: Any, operation: Any = operation) -> None:
            operation(source, np.uint64(2), np.uint64(7), bias, out, np.uint64(1), np.uint64(11))

        call(BYTES, out, np.uint64(bias))
        outs.append(out)
    assert outs[0].any()
    np.testing.assert_array_equal(*outs)


@pytest.mark.parametrize("name", ["add_row_8", "add_row_16"])
@pytest.mark.parametrize("value", [-32768, -5, 32767])
def test_sums_are_the_same_where_they_overflow_too(name: str, value: int) -> None:
    source, outs = DRAW.integers(-32768, 32768, (3, 40), dtype=np.int16), []
    for operation in (getattr(simd, name), getattr(plain, name)):
        out = np.zeros((4, 30), np.int16)

        @numba.njit  # type: ignore[untyped-decorator]
        def call(source: Any, out: Any, value: Any, operation: Any = operation) -> None:
            operation(source, np.uint64(1), np.uint64(9), np.int16(value), out, np.uint64(2), np.uint64(3))

        call(source, out, value)
        outs.append(out)
    assert outs[0].any()
    np.testing.assert_array_equal(*outs)


def chroma_terms() -> NDArray[np.int16]:
    """Upper parts and rests of random chroma parts, from far below black to far above white."""
    terms = DRAW.integers(-(3 << 20), 3 << 20, (3, 64))
    return np.concatenate([terms >> 13, terms & 8191]).astype(np.int16)


@pytest.mark.parametrize(("black", "factor"), [(16, 9539), (0, 8192)])
def test_colours_and_differences_are_the_same(black: int, factor: int) -> None:
    chroma = chroma_terms(), chroma_terms()
    outs = []
    for module in (simd_colour, plain):
        rgb, difference = module.rgb_32, module.difference_32
        colours, differences = np.zeros((15, 64), np.uint8), np.zeros((15, 64), np.int16)

        @numba.njit  # type: ignore[untyped-decorator]
        def call(
            one: Any, c1: Any, other: Any, c2: Any, b: Any, f: Any, colours: Any, differences: Any,
            rgb: Any = rgb, difference: Any = difference,
        ) -> None:  # fmt: skip
            rgb(one, np.uint64(2), c1, np.uint64(9), b, f, colours, np.uint64(5))
            difference(one, c1, other, c2, np.uint64(2), np.uint64(9), b, f, differences, np.uint64(5))

        call(BYTES, chroma[0], OTHER, chroma[1], np.uint64(black), np.uint64(factor), colours, differences)
        outs.append((colours, differences))
    for ours, theirs in zip(*outs, strict=True):
        assert len(np.unique(ours)) > 20
        np.testing.assert_array_equal(ours, theirs)


def test_a_whole_video_is_read_alike(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", sudden_square())
    code = (
        "import hashlib, sys\n"
        "from cdkd.video import plain, row_operations\n"
        "from cdkd.video.reader import read_gop\n"
        "assert row_operations.row_ops is plain and row_operations.colour_ops is plain\n"
        "read = read_gop(sys.argv[1], 0, range(1, 12), range(12))\n"
        "print(hashlib.sha256(b''.join(a.tobytes() for a in (read.motion, read.residual, read.frames))).hexdigest())\n"
    )
    environment = {**os.environ, PLAIN_VARIABLE: "1"}
    command = [sys.executable, "-c", code, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    read = read_gop(path, 0, range(1, 12), range(12))
    digest = hashlib.sha256(b"".join(array.tobytes() for array in (read.motion, read.residual, read.frames)))
    assert run.stdout.strip() == digest.hexdigest()


def test_here_the_vector_instructions_are_used_and_would_be_in_a_new_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (row_operations.row_ops, row_operations.colour_ops) == (simd, simd_colour)
    monkeypatch.setattr(row_operations, "FIRST_UNTESTED", (0, 60))
    assert row_operations.choose_operations() == (simd, simd_colour)


def test_the_versions_trusted_are_those_asked_for() -> None:
    setup = (Path(__file__).parents[2] / "setup.cfg").read_text()
    first, untested = (
        ".".join(map(str, version)) for version in (row_operations.FIRST_TESTED, row_operations.FIRST_UNTESTED)
    )
    assert f"numba>={first},<{untested}" in setup


@pytest.mark.parametrize("what", ["import", "compilation"])
def test_plain_loops_take_over_where_numba_has_changed(
    what: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if what == "import":
        for name in ("cdkd.video.simd", "cdkd.video.simd_colour"):
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.delattr("cdkd.video.simd")
        monkeypatch.delattr("cdkd.video.simd_colour")
        monkeypatch.delattr(llvmlite, "ir")
        monkeypatch.setitem(sys.modules, "llvmlite.ir", None)
    else:

        def fail(*arguments: object) -> None:
            raise AttributeError("get_item_pointer")

        monkeypatch.setattr(row_operations, "FIRST_UNTESTED", (0, 60))
        monkeypatch.setattr(simd, "cgutils", None)
        monkeypatch.setattr(simd_colour, "pointer", fail)
        monkeypatch.setattr(simd_colour, "_use_all", numba.njit(simd_colour._use_all.py_func))  # type: ignore[attr-defined]
    with caplog.at_level(logging.WARNING):
        assert row_operations.choose_operations() == (plain, plain)
    assert "numba does not take cdkd's vector instructions" in caplog.text
