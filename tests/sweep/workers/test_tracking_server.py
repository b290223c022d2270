"""A sweep whose tracking server is killed: nothing fails, nothing waits but the ends of cells, control-C is heard."""

import signal
import time

from support.sweeps import GRID, Bench, is_alive, wait_until
from support.tracking_server import tracking_server

from cdkd.tracking.runs import load_runs
from cdkd.tracking.store import open_client

TWO = GRID.replace("[1, 2, 3]", "[1]")
AGAIN = GRID.replace("[1, 2, 3]", "[7]")


def test_a_killed_server_costs_nothing_but_a_message_and_control_c_is_heard(bench: Bench) -> None:
    with tracking_server(bench.folder, bench.folder / "mlflow.db") as server:
        # 1. Killed in the middle of two trainings, which go on to their ends.
        (bench.fake / "hold").touch()
        sweep = bench.start(bench.write(TWO), "--workers", "2", "--tracking-uri", server.uri)
        wait_until(lambda: len(bench.marks("started")) == 2)
        server.kill()
        (bench.fake / "hold").unlink()
        wait_until(lambda: len(bench.marks("finished")) == 2)
        notices = bench.folder / ".cdkd/grid/notices.log"
        wait_until(lambda: notices.exists() and "the tracking store is away" in notices.read_text())
        server.start()
        output, _ = sweep.communicate(timeout=240)
        assert sweep.returncode == 0, output
        assert "the tracking store is away" in output and "the tracking store is back" in output
        runs = load_runs(server.uri)
        assert list(runs.status) == ["finished"] * 2 and list(runs.attempt) == [1, 1]
        client = open_client(server.uri)
        for run_id in runs.run_id:
            points = client.get_metric_history(run_id, "train/loss")
            assert sorted((point.step, point.value) for point in points) == [(n, 1 / n) for n in (1, 2, 3, 4)]
        # 2. Killed once more, and then control-C.
        (bench.fake / "hold").touch()
        sweep = bench.start(bench.write(AGAIN), "--workers", "2", "--tracking-uri", server.uri)
        wait_until(lambda: len(bench.marks("started")) == 4)
        workers = bench.worker_ids()
        server.kill()
        sweep.send_signal(signal.SIGINT)
        began = time.monotonic()
        output, _ = sweep.communicate(timeout=240)
        seconds = time.monotonic() - began
        assert sweep.returncode == 130 and not any(is_alive(worker) for worker in workers), output
        assert "the next sweep closes what is open there" in output
        # Five where nothing else runs; a machine that others share stretches its own share of that.
        assert seconds < 10.0, output
