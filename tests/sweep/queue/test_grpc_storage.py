"""A study behind Optuna's gRPC proxy of a PostgreSQL database: claims, heartbeats and the lock, without any SQL."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from support.postgres import PostgresServer
from support.sweeps import GRID, Bench, wait_until

pytest.importorskip("grpc", reason="grpcio is not installed: pip install 'cdkd[grpc]'")

from cdkd.sweep.queue.postgres_connection import parse_address
from cdkd.sweep.queue.queue_storage import StorageError, TrialTakenError, stored_studies
from cdkd.sweep.queue.stale_trials import settle
from cdkd.sweep.queue.stop_request import ask_to_stop
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.study_reference import find_study_folder
from cdkd.sweep.queue.trial_queue import QueuedTask, TrialQueue
from cdkd.tracking.runs import load_runs


@pytest.fixture(scope="module")
def proxy(postgres: PostgresServer) -> Iterator[str]:
    """Address of a proxy, started as docs/cluster.md does: in a process of its own, as a thread has no quiet end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = parse_address(postgres.address(postgres.new_database()))[0].render_as_string(hide_password=False)
    program = "from optuna.storages import RDBStorage, run_grpc_proxy_server as run; run(RDBStorage({!r}), port={})"
    server = subprocess.Popen([sys.executable, "-W", "ignore", "-c", program.format(url, port)])
    try:
        wait_until(lambda: is_open(port), 60)
        yield f"grpc://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Places:
    """Folders that have nothing in common but the proxy."""

    def __init__(self, address: str, root: Path) -> None:
        self.address = address
        self.root = root
        self.num_folders = 0

    def queue(self) -> TrialQueue:
        self.num_folders += 1
        # A name of the test's own: all of them share one database.
        folder = StudyFolder(self.root / str(self.num_folders) / self.root.name)
        folder.use_storage(f"{self.address}?heartbeat=0.3&grace=1.5")
        return TrialQueue(folder)


@pytest.fixture
def places(proxy: str, tmp_path: Path) -> Places:
    return Places(proxy, tmp_path)


def in_threads(work: list) -> None:
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_tasks_are_enqueued_once_and_claimed_once_whoever_asks(places: Places) -> None:
    queues = [places.queue() for _ in range(3)]
    tasks = [QueuedTask(f"t{number}", "cell", "stage") for number in range(12)]
    in_threads([lambda q=q: q.enqueue(tasks) for q in queues])
    assert [trial.task.id for trial in queues[0].trials()] == [task.id for task in tasks]
    got: list[str] = []

    def work(queue: TrialQueue) -> None:
        while (claim := queue.claim()) is not None:
            got.append(claim.trial.task.id)
            queue.complete(claim.trial.number, 50.0, run_id=f"r{claim.trial.number}", status="finished")
            claim.lock.release()

    in_threads([lambda q=q: work(q) for q in queues])
    assert sorted(got) == sorted(task.id for task in tasks)
    assert {trial.status for trial in queues[1].latest().values()} == {"finished"}
    assert len({queue.shared_name for queue in queues}) == 1


def test_a_dead_workers_trial_goes_back_once_and_the_worker_is_refused(places: Places) -> None:
    worker, others = places.queue(), [places.queue() for _ in range(2)]
    worker.enqueue([QueuedTask("a", "cell", "stage")])
    claim = worker.claim()
    assert claim is not None
    # Its heart beats: seen for longer than the grace period, it stays its own.
    deadline = time.monotonic() + 2.5
    while time.monotonic() < deadline:
        assert others[0].latest()["a"].status == "running"
        time.sleep(0.2)
    claim.lock.release()
    for queue in others:
        wait_until(lambda queue=queue: queue.latest()["a"].status == "stale", 20)  # type: ignore[misc]
    settled: list[object] = []
    in_threads([lambda q=q: settled.append(settle(q, q.trials()[0], is_complete=False)) for q in others])
    assert sorted(map(str, settled)) == ["None", "stale"]
    assert [trial.status for trial in others[0].trials()] == ["stale", "waiting"]
    with pytest.raises(TrialTakenError, match="settled by another process"):
        worker.complete(claim.trial.number, 99.0, run_id="late", status="finished")
    again = others[1].claim()
    assert again is not None and again.trial.attempt == 2


def test_a_request_to_stop_is_found_wherever_the_proxy_is_named(places: Places) -> None:
    here, there = places.queue(), places.queue()
    here.enqueue([QueuedTask("a", "cell", "stage")])
    assert there._storage.stop_request() is None
    request = ask_to_stop(here.folder)
    assert there._storage.stop_request() == {"id": request.id, "is_immediate": False}
    assert places.root.name in stored_studies(places.address)
    assert find_study_folder(places.root.name, places.address).storage == places.address


def test_a_lock_whose_holder_died_is_taken_from_it(places: Places) -> None:
    dead, alive = places.queue(), places.queue()
    number, hold = dead._storage._lock()  # type: ignore[attr-defined]
    hold.release()
    started = time.monotonic()
    assert alive.enqueue([QueuedTask("a", "cell", "stage")])
    # Once it has been seen not to beat for the grace period.
    assert time.monotonic() - started > 1.0 and number >= 0


def test_a_sweep_and_its_workers_go_through_the_proxy(bench: Bench, proxy: str) -> None:
    file = bench.write(GRID.replace("study: grid", "study: proxied"))
    sweep = bench.start(file, "--workers", "2", "--storage", f"{proxy}?heartbeat=1&grace=20", "--no-report")
    output, _ = sweep.communicate(timeout=240)
    assert sweep.returncode == 0 and "6 of 6 cells finished" in output, output
    assert len(bench.marks("finished")) == len(set(bench.marks("finished"))) == 6
    assert list(load_runs().status) == ["finished"] * 6
    # Optuna's own tools see it through the proxy, too.
    host, port = proxy.removeprefix("grpc://").split(":")
    study = optuna.load_study(
        study_name="proxied.rows", storage=optuna.storages.GrpcStorageProxy(host=host, port=int(port))
    )
    assert len(study.trials) == 6 and study.best_params["student.arch"] in ("tsm", "tdn")


def test_addresses_that_cannot_work_are_refused_in_one_line(tmp_path: Path) -> None:
    def refusal(address: str) -> str:
        folder = StudyFolder(tmp_path / "study")
        folder.use_storage(address)
        with pytest.raises(StorageError) as caught:
            TrialQueue(folder)
        return str(caught.value)

    assert refusal("grpc://proxy.example") == (
        "--storage: grpc://proxy.example is no address of a proxy; an address looks like grpc://host:13000"
    )
    assert (
        refusal("grpc://proxy:many")
        == "--storage: grpc://proxy:many names no port; an address looks like grpc://host:13000"
    )
    assert refusal("grpc://proxy:1?grace=5&heartbeat=3").endswith("must be at least two heartbeats long")
