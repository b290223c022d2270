"""A store that is missing, somebody else's or away: one line that names it, and nothing is written to it."""

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from cdkd.tracking import store as tracking_store
from cdkd.tracking.artifacts import fetch_checkpoint
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.runs import load_runs
from cdkd.tracking.store import TrackingError, check_store, open_client, shown

REMEDY = "name another store with MLFLOW_TRACKING_URI or --tracking-uri"


def write_anything(uri: str, home: Path) -> None:
    MlflowTracker(uri, "study", home).prepare(["rows"])


def foreign_database(file: Path) -> Path:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("CREATE TABLE experiments (name TEXT, chemist TEXT)")
        connection.commit()
    return file


def garbage(file: Path) -> Path:
    file.write_bytes(b"holiday photographs " * 500)
    return file


def test_a_store_is_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mlflow.db"
    abandoned, young = tmp_path / "mlflow.db.new-1", tmp_path / "mlflow.db.new-2"
    for draft in (abandoned, young):
        draft.touch()
    # Left by a process that was killed over it; the other one's may still be at work.
    os.utime(abandoned, (0, 0))
    ask = MlflowClient.search_experiments

    def die(client: MlflowClient, **arguments: int) -> None:
        ask(client, **arguments)
        assert not file.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(MlflowClient, "search_experiments", die)
    with pytest.raises(KeyboardInterrupt):
        open_client(f"sqlite:///{file}")
    assert list(tmp_path.iterdir()) == [young]
    monkeypatch.setattr(MlflowClient, "search_experiments", ask)
    experiments = [found.name for found in open_client(f"sqlite:///{file}").search_experiments()]
    assert experiments == ["Default"] and sorted(tmp_path.iterdir()) == [file, young]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (foreign_database, "{file} is a database of another program, not an MLflow store; {remedy}"),
        (garbage, "{file} cannot be read as an SQLite database: file is not a database; {remedy}"),
    ],
)
def test_a_foreign_file_is_neither_read_nor_written(tmp_path: Path, make, message: str) -> None:  # type: ignore[no-untyped-def]
    file = make(tmp_path / "my notes.db")
    before = file.read_bytes()
    uri = f"sqlite:///{file}"
    for use in (
        lambda: load_runs(uri),
        lambda: fetch_checkpoint("models:/a/1", tmp_path / "out", uri),
        lambda: write_anything(uri, tmp_path / ".cdkd"),
    ):
        with pytest.raises(TrackingError) as caught:
            use()
        assert str(caught.value) == message.format(file=file, remedy=REMEDY)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_an_empty_file_is_nothing_to_read_but_may_be_filled(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    file.touch()
    with pytest.raises(TrackingError, match=r"^no tracked runs: .*mlflow\.db is empty; run a sweep in this folder"):
        load_runs(f"sqlite:///{file}")
    assert file.read_bytes() == b""
    write_anything(f"sqlite:///{file}", tmp_path)
    assert load_runs(f"sqlite:///{file}").empty


@pytest.mark.parametrize("must_exist", [True, False])
def test_a_folder_is_no_database(tmp_path: Path, must_exist: bool) -> None:
    with pytest.raises(TrackingError, match=rf"^tracking store {tmp_path} is a folder; name a file in it, such as "):
        check_store(f"sqlite:///{tmp_path}", must_exist)


def test_a_store_that_no_folder_can_be_made_for(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    for folder in ("taken", "taken/deeper"):
        file = tmp_path / folder / "mlflow.db"
        with pytest.raises(TrackingError, match=rf"^tracking store {file}.*: Not a directory; {REMEDY}$"):
            write_anything(f"sqlite:///{file}", tmp_path / ".cdkd")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_store_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever runs the tests as root may write everywhere, so the answer is given here.
    monkeypatch.setattr(tracking_store.os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(TrackingError, match=rf"mlflow\.db: {tmp_path} cannot be written; {REMEDY}$"):
        write_anything(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / ".cdkd")


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("nosuch://place", "unsupported URI 'nosuch://place'"),
        ("mlruns", "filesystem tracking backend"),
        ("mysql://me:secret@host/runs", "No module named"),
    ],
)
def test_addresses_that_mlflow_cannot_use(uri: str, reason: str) -> None:
    with pytest.raises(TrackingError, match=rf"^tracking store .* cannot be used: .*{reason}") as caught:
        open_client(uri)
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_passwords_are_not_shown() -> None:
    assert shown("postgresql://me:secret@host:5/runs") == "postgresql://me:***@host:5/runs"
    assert shown("sqlite:///mlflow.db") == "sqlite:///mlflow.db"


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_server_that_is_silent_or_away(silent_server: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking_store, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    start = time.monotonic()
    for port, reason in ((silent_server, "timed out"), (closed, r"\[Errno 111\] Connection refused")):
        message = rf"^tracking server http://127\.0\.0\.1:{port} does not answer \({reason}\); start it \(mlflow server"
        with pytest.raises(TrackingError, match=message):
            load_runs(f"http://127.0.0.1:{port}")
        with pytest.raises(TrackingError, match=message):
            write_anything(f"http://127.0.0.1:{port}", tmp_path / ".cdkd")
    assert time.monotonic() - start < 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("status", "is_there"), [(404, True), (401, True), (502, False)])
def test_any_answer_but_a_gateways_complaint_will_do(status: int, is_there: bool) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        def log_message(self, format: str, *arguments: object) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        uri = f"http://127.0.0.1:{server.server_port}"
        if is_there:
            check_store(uri)
        else:
            with pytest.raises(TrackingError, match=r"does not answer \(Bad Gateway\)"):
                check_store(uri)
    finally:
        server.shutdown()
        server.server_close()
