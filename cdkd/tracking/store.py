"""Where tracked numbers are kept: the store's address, what may be wrong with it, and a client of it."""

import glob
import importlib
import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qs, quote, unquote, urlsplit
from uuid import uuid4

from cdkd.errors import CdkdError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

DEFAULT_URI = "sqlite:///mlflow.db"
"""Exactly what a bare `mlflow ui` reads in the same folder."""

ANSWER_SECONDS = 5.0
"""A server that has not answered by then is taken to be away; MLflow itself would go on asking for minutes."""

_COLUMNS = {"experiment_id", "artifact_location", "lifecycle_stage"}
"""Of the table `experiments`. MLflow makes it first, so that a store which is being set up just now has it, too."""
_DRAFT, _DRAFT_SECONDS = ".new-", 600.0
"""End of the name of a store that is being made; how long that takes at the very most."""
_REMEDY = "name another store with MLFLOW_TRACKING_URI or --tracking-uri"
_FIRST_RUN = f"run a sweep in this folder first (cdkd sweep ablation.yaml), or {_REMEDY}"


class TrackingError(CdkdError):
    """The tracking store is missing or cannot do what is asked; the text names it and the remedy."""


class StoreAway(TrackingError):
    """The store cannot be reached now, and may come back."""


def tracking_uri() -> str:
    """`MLFLOW_TRACKING_URI` when it is set, else an SQLite file in the working directory."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def database_file(uri: str) -> Path | None:
    """The file behind an `sqlite:///` address; None for every other kind of store."""
    parts = urlsplit(uri)
    # sqlite:///relative.db has the path "/relative.db", sqlite:////absolute.db "//absolute.db".
    return Path(unquote(parts.path[1:])) if parts.scheme == "sqlite" and len(parts.path) > 1 else None


def study_file(uri: str) -> Path | None:
    """The file of `cdkd study export` that an address means; None for every other kind of store."""
    return Path(uri) if "://" not in uri and Path(uri).is_file() else None


def absolute_uri(uri: str) -> str:
    """The same address, meaning the same store in whatever working directory."""
    file = database_file(uri)
    if file is not None:
        return f"sqlite:///{file.absolute()}"
    # A folder of files, which MLflow takes as well.
    return uri if "://" in uri else str(Path(uri).absolute())


def is_on_this_machine(address: str) -> bool:
    """A server's address means the machine that asks, whichever that is."""
    parts = urlsplit(address)
    # PostgreSQL's may stand behind the question mark, and be the folder of a socket.
    host = parts.hostname or parse_qs(parts.query).get("host", [""])[0]
    return not host or host.startswith(("/", "127.")) or host in ("localhost", "::1")


def check_store(uri: str, must_exist: bool = False) -> None:
    """Looks at a store without changing it: MLflow writes its tables into whatever database it is given.

    Args:
        must_exist: False lets an SQLite file be absent or empty, for who is about to fill it.

    Raises:
        TrackingError: the file cannot be read or is no MLflow store, or the server does not answer.
    """
    file = database_file(uri)
    if file is not None:
        _check_file(file, must_exist)
    elif urlsplit(uri).scheme in ("http", "https"):
        _check_server(uri)


def preload(uri: str) -> None:
    """Imports what `open_client` will need of MLflow, which takes seconds, and opens nothing."""
    _set_environment()
    importlib.import_module("mlflow.tracking")
    if database_file(uri) is not None:
        importlib.import_module("mlflow.store.tracking.sqlalchemy_store")


def _set_environment() -> None:
    # Before the import, which reads them.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # Two lines with links for every run that ends, into the middle of what a sweep shows.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    # MLflow would go on asking a server that is away for four minutes, in which no signal is heard. Whoever can wait
    # asks again by itself (`store_sender.py`).
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")


def open_client(uri: str, must_exist: bool = False) -> "MlflowClient":
    """A client of a store that `check_store` accepts; imports MLflow (1-2 s) on first use.

    A study's file is a store as well, which can be read alone.

    Raises:
        TrackingError: as `check_store` says, or MLflow cannot open such a store, or the file is damaged.
    """
    if (exported := study_file(uri)) is not None:
        from cdkd.tracking.study_file_client import open_study_file

        # It has the methods that read, and says of every other what to do instead.
        return cast("MlflowClient", open_study_file(exported))
    check_store(uri, must_exist)
    _set_environment()
    from mlflow.tracking import MlflowClient

    file = database_file(uri)
    try:
        if file is not None and not file.exists():
            _make_store(file)
        # MLflow keeps one connection per address, so an address must not depend on the working directory.
        client = MlflowClient(tracking_uri=uri if file is None else f"sqlite:///{file.absolute()}")
        # The first question finds what is wrong: an old schema, a missing driver, a server of another kind.
        client.search_experiments(max_results=1)
    except Exception as error:  # MLflow's own, the database's, a missing driver's: there is no common root
        reason = first_line(error).strip()
        raise TrackingError(f"tracking store {shown(uri)} cannot be used: {reason}; {_REMEDY}") from error
    return client


def _make_store(file: Path) -> None:
    """A new store with all of MLflow's tables, or none: made beside its place, and put there when it is whole.

    MLflow makes them in dozens of steps. Killed in between, or two at once, it leaves a database that nobody can open.
    """
    from mlflow.tracking import MlflowClient

    _remove_abandoned(file)
    draft = file.absolute().with_name(f"{file.name}{_DRAFT}{uuid4().hex}")
    try:
        MlflowClient(tracking_uri=f"sqlite:///{draft}").search_experiments(max_results=1)
        # Another process may have been faster; then its file stays.
        try:
            os.link(draft, file)
        except FileExistsError:
            return
        except OSError:
            # A file system without links.
            draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _remove_abandoned(file: Path) -> None:
    for draft in file.absolute().parent.glob(f"{glob.escape(file.name)}{_DRAFT}*"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > _DRAFT_SECONDS:
                draft.unlink()


def shown(uri: str) -> str:
    """An address without the password that it may hold."""
    parts = urlsplit(uri)
    if parts.password is None:
        return uri
    return parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@", 1)).geturl()


def first_line(error: BaseException) -> str:
    """An error's text, of which MLflow and its database write many lines."""
    return str(error).partition("\n")[0]


def _check_file(file: Path, must_exist: bool) -> None:
    try:
        size = file.stat().st_size
        is_folder = file.is_dir()
    except FileNotFoundError:
        if must_exist:
            raise TrackingError(f"no tracked runs: {file} does not exist; {_FIRST_RUN}") from None
        size, is_folder = 0, False
    except OSError as error:
        raise TrackingError(f"tracking store {file} cannot be read: {error.strerror}; {_REMEDY}") from error
    if is_folder:
        raise TrackingError(f"tracking store {file} is a folder; name a file in it, such as sqlite:///{file}/mlflow.db")
    # SQLite makes an empty file of whatever name it is given, so an empty one is as good as none.
    num_tables, columns = _look_into(file) if size else (0, set())
    if must_exist and not num_tables:
        raise TrackingError(f"no tracked runs: {file} is empty; {_FIRST_RUN}")
    # Only for whoever is about to write: a report reads a store on a read-only disk as well.
    if not must_exist:
        _require_writable(file)
    if num_tables and not columns >= _COLUMNS:
        raise TrackingError(f"{file} is a database of another program, not an MLflow store; {_REMEDY}")


def _look_into(file: Path) -> tuple[int, set[str]]:
    """How many tables a database has, and the columns of `experiments`, through a connection that cannot write."""
    try:
        # Read only: asking must not create the file. A writer may hold its lock for a while, hence the time.
        connection = sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True, timeout=60)
        try:
            (num_tables,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()
            columns = connection.execute("SELECT name FROM pragma_table_info('experiments')")
            return num_tables, {name for (name,) in columns}
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise TrackingError(f"{file} cannot be read as an SQLite database: {error}; {_REMEDY}") from error


def _require_writable(file: Path) -> None:
    """Makes the folder of a new store, which SQLite does not."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrackingError(f"tracking store {file}: no folder for it: {error.strerror}; {_REMEDY}") from error
    # SQLite writes its journal beside the file.
    for place in (file.parent, file):
        if place.exists() and not os.access(place, os.W_OK):
            raise TrackingError(f"tracking store {file}: {place} cannot be written; {_REMEDY}")


def _check_server(uri: str) -> None:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import urlopen

    try:
        with urlopen(f"{uri.rstrip('/')}/health", timeout=ANSWER_SECONDS):
            return
    except (OSError, ValueError, HTTPException) as error:
        # Whoever asks for a password, or knows no such page, is there; a gateway whose server is away is not.
        if isinstance(error, HTTPError) and error.code < 500:
            return
        reason = error.reason if isinstance(error, URLError) else error
        raise TrackingError(
            f"tracking server {shown(uri)} does not answer ({reason}); start it (mlflow server), or {_REMEDY}"
        ) from error
