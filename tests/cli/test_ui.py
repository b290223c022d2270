"""`cdkd ui` serves a store, says where, and leaves nothing running."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner
from support.sweeps import ready_store

from cdkd.cli import group
from cdkd.tracking.mlflow_tracker import MlflowTracker


@pytest.fixture
def uri(tmp_path: Path, store_template: Path) -> str:
    ready_store(store_template, tmp_path)
    found = f"sqlite:///{tmp_path}/mlflow.db"
    MlflowTracker(found, "mine", tmp_path).prepare(["rows"])
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_pages_are_served_until_they_are_ended(uri: str, tmp_path: Path) -> None:
    port = _free_port()
    command = [sys.executable, "-m", "cdkd", "ui", "mine", "--no-browser", "--port", str(port), "--tracking-uri", uri]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=log)
    try:
        assert process.stdout is not None
        # It says so once the server answers; what the server itself says goes before.
        line = next(line for line in process.stdout if line.startswith("mine: "))
        page, _, rest = line.removeprefix("mine: ").partition("#")
        assert page == f"http://127.0.0.1:{port}/"
        number = rest.split("/")[2]
        assert b"<title>MLflow</title>" in urlopen(page, timeout=60).read()
        asked = Request(f"{page}api/2.0/mlflow/experiments/get?experiment_id={number}")
        assert json.load(urlopen(asked, timeout=60))["experiment"]["name"] == "mine"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, (tmp_path / "log").read_text()
        log.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_port_that_is_taken_and_a_study_that_is_not_there(uri: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = CliRunner().invoke(group, ["ui", "--no-browser", "--port", str(port), "--tracking-uri", uri])
    assert refused.exit_code == 1 and f"port {port} is taken; name another with --port" in refused.output
    unknown = CliRunner().invoke(group, ["ui", "mien", "--no-browser", "--tracking-uri", uri])
    assert unknown.exit_code == 1 and "mien: no tracked study; did you mean 'mine'?" in unknown.output
