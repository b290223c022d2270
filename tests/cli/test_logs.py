"""`cdkd logs`: a cell's epochs while it runs, its result, its traceback."""

from click.testing import CliRunner
from support.sweeps import GRID, Bench, wait_until

from cdkd.cli import group

PAIR = GRID.replace("[1, 2, 3]", "[4]").replace("study: grid", "study: pair")


def logs(*arguments: str) -> str:
    return CliRunner().invoke(group, ["logs", "pair", *arguments], catch_exceptions=False).output


def test_following_a_cell_to_its_end(bench: Bench) -> None:
    (bench.fake / "hold").touch()
    process = bench.start(bench.write(PAIR), "--workers", "1")
    wait_until(lambda: bool(bench.marks("started")))
    wait_until(lambda: "epoch    1  train/loss 1  validation/top1 1\n" in logs("tsm"))
    follower = bench.run("logs", "pair", "tsm", "--follow")
    assert follower.stdout is not None
    assert ": running, attempt 1, worker " in follower.stdout.readline()
    # Read before the cell may go on, since its log goes with its end.
    assert follower.stdout.readline() == "epoch    1  train/loss 1  validation/top1 1\n"
    (bench.fake / "hold").unlink()
    rest = follower.communicate(timeout=60)[0]
    assert ": finished, attempt 1, worker " in rest and "result      test/top1 58" in rest
    assert process.wait(60) == 0


def test_a_failed_cell_shows_its_traceback(bench: Bench) -> None:
    (bench.fake / "fail-tdn").touch()
    bench.sweep(bench.write(PAIR))
    output = logs("student.arch tdn")
    assert ": failed, attempt 1, worker " in output
    assert output.rstrip().endswith("RuntimeError: tdn fails as told")
