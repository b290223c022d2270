"""A PostgreSQL server of the tests' own, on a socket in a temporary folder; and databases in it, one per test."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PLACES = ("/usr/local/bin", "/usr/bin", *(str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"))))


def program(name: str) -> str | None:
    """Path of one of PostgreSQL's programs; Debian keeps most of them off the search path."""
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(reversed(_PLACES)))


class PostgresServer:
    """A server that listens on a socket in its folder and nowhere else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._data = folder / "data"
        self._num_databases = 0

    def _run(self, *command: str) -> None:
        # PostgreSQL refuses to run as root.
        user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        done = subprocess.run([*user, *command], capture_output=True, text=True, cwd=self.folder, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def make(self) -> None:
        initdb = program("initdb")
        assert initdb is not None
        self._run(initdb, "-D", str(self._data), "-U", "cdkd", "--auth=trust", "--no-sync", "-E", "UTF8")
        self.start()

    def start(self) -> None:
        control = program("pg_ctl")
        assert control is not None
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=60"
        log = str(self.folder / "server.log")
        self._run(control, "-D", str(self._data), "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        control = program("pg_ctl")
        assert control is not None
        self._run(control, "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def address(self, database: str, **settings: float) -> str:
        query = "&".join([f"host={self.folder}", *(f"{name}={value:g}" for name, value in settings.items())])
        return f"postgresql+psycopg://cdkd@/{database}?{query}"

    def new_database(self) -> str:
        """Name of an empty one."""
        import psycopg

        self._num_databases += 1
        name = f"test{self._num_databases}"
        with psycopg.connect(f"host={self.folder} user=cdkd dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        return name


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """A fresh server; skips the test where PostgreSQL or its driver is not installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'cdkd[postgres]'")
    if program("initdb") is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    # Not pytest's folder: a socket's path may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="cdkd-pg-") as name:
        folder = Path(name)
        if os.getuid() == 0:
            try:
                user = pwd.getpwnam("postgres")
            except KeyError:
                pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            folder.chmod(0o755)
        server = PostgresServer(folder)
        server.make()
        try:
            yield server
        finally:
            server.stop()
