"""What the tests of several rooms share: a tracking store, a folder with runs, one to sweep in, a database server."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.postgres import PostgresServer, running_server

if TYPE_CHECKING:
    from support.sweeps import Bench


def pytest_configure() -> None:
    # A shell ignores SIGINT for what it starts in its background, and whatever starts from there inherits it. Here and
    # not in each child between fork and exec, where Python code may wait for ever for a lock of another thread's.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cdkd.tracking.store import open_client

    folder = tmp_path_factory.mktemp("store")
    open_client(f"sqlite:///{folder}/mlflow.db").search_experiments()
    return folder / "mlflow.db"


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two rows of Table 4 were swept, with a student's checkpoint and a video."""
    from support.guides import make_runs

    return make_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def bench(tmp_path: Path, store_template: Path, monkeypatch: pytest.MonkeyPatch) -> "Bench":
    """A folder to sweep in."""
    from support.sweeps import Bench, ready_store

    ready_store(store_template, tmp_path)
    (tmp_path / "fake").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAKE_EXPERIMENT", str(tmp_path / "fake"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Bench(tmp_path)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server
