"""`cdkd retry`: failed cells and teachers wait again, and nothing else does."""

import pytest
from click.testing import CliRunner
from support.sweeps import FAKE, GRID, Bench

from cdkd.cli import group
from cdkd.errors import CdkdError

PAIR = GRID.replace("[1, 2, 3]", "[4]").replace("study: grid", "study: pair")
TAUGHT = PAIR.replace("{spatial: {enabled: false}, temporal", "{temporal").replace("study: pair", "study: taught")


def invoke(*arguments: str) -> str:
    return CliRunner().invoke(group, arguments, prog_name="cdkd", catch_exceptions=False).output


def test_a_failed_cell_waits_again_and_is_run(bench: Bench) -> None:
    (bench.fake / "fail-tdn").touch()
    file = bench.write(PAIR)
    typed = ("sweep", str(file), "--workers", "0", "--runner", FAKE)
    invoke(*typed)
    told = invoke("retry", "pair").splitlines()
    assert told == [
        "waits again: student.arch tdn, train.epochs 4, seed 0",
        f"Nobody is at work; to run what waits: cdkd {' '.join(typed)}",
    ]
    assert invoke("retry", "pair", "--failed") == "No cell of pair has failed.\n"
    (bench.fake / "fail-tdn").unlink()
    # No --retry-failed: it waits.
    assert "2 of 2 cells finished, 1 of them now" in invoke(*typed)
    with pytest.raises(
        CdkdError, match=r"seed 0: is finished, which is a result; .*: cdkd rm pair [0-9a-f]{12} --runs$"
    ):
        invoke("retry", "pair", "tdn")


def test_a_cell_takes_its_teacher_along(bench: Bench) -> None:
    (bench.fake / "fail-teacher-tsm").touch()
    result = bench.sweep(bench.write(TAUGHT))
    assert result.num_done == 0
    told = invoke("retry", "taught", "teacher").splitlines()
    assert told[0] == "waits again: teacher tsm (slim)"
    (bench.fake / "fail-teacher-tsm").unlink()
    with pytest.raises(CdkdError, match="has not failed; it is waiting"):
        invoke("retry", "taught", "student.arch tsm")
    assert bench.sweep(bench.write(TAUGHT)).is_complete
