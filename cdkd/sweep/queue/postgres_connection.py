"""Connections to a PostgreSQL database that holds studies: opened once, patient with a server that is away."""

import threading
import warnings
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError, ProgrammingError, SQLAlchemyError

from cdkd.sweep.queue.patience import patiently
from cdkd.sweep.queue.queue_storage import GRACE_SECONDS, HEARTBEAT_SECONDS, StorageError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

Result = TypeVar("Result")

STUDY_ATTRIBUTE = "cdkd.study"
"""Of an Optuna study: the cdkd study whose stage it is."""

_CONNECT_SECONDS = 10
_SET_UP_LOCK = 0x63646B64
"""Key of the advisory lock under which the tables are made."""

_INDEXES = {
    "ix_cdkd_studies": f"study_user_attributes (value_json) WHERE key = '{STUDY_ATTRIBUTE}'",
    "ix_cdkd_trials": "trials (study_id, trial_id)",
    "ix_cdkd_running": "trials (study_id) WHERE state = 'RUNNING'",
    "ix_cdkd_ended": "trials (study_id, datetime_complete)",
}
"""Of Optuna's tables, beside its own: with them, what has changed is found without reading all of a study's trials."""


class Database:
    """A database with Optuna's tables; its methods may be called from any thread.

    Args:
        address: a `postgresql+psycopg://` address.
        heartbeat_seconds: between two heartbeats.
        grace_seconds: silence after which a process counts as dead.

    Raises:
        StorageError: it cannot be opened.
    """

    def __init__(self, address: "URL", heartbeat_seconds: float, grace_seconds: float) -> None:
        self.place = address.render_as_string(hide_password=True)
        self.heartbeat_seconds = heartbeat_seconds
        self.grace_seconds = grace_seconds
        self.engine = _open_engine(address, self.place)
        self._own = threading.local()

    @cached_property
    def name(self) -> str:
        """Of the database, by whatever address and as whichever user it was reached."""
        sql = "SELECT system_identifier, current_database() FROM pg_control_system()"
        server, database = self.run(lambda connection: connection.execute(text(sql)).one())
        return f"postgresql:{server}/{database}"

    def run(self, work: "Callable[[Connection], Result]") -> Result:
        """Does something in a transaction: in the one that this thread holds, else in one of its own.

        In one of its own it is tried again for `PATIENCE_SECONDS` while the server is away.

        Raises:
            StorageError: the server was away for longer, or refuses.
        """
        held: Connection | None = getattr(self._own, "connection", None)
        if held is not None:
            return work(held)
        return self._patiently(lambda: self._in_transaction(work))

    def hold(self, work: "Callable[[Connection], Result]") -> Result:
        """Does something in one transaction, `run` within it included. Raises as `run` does."""

        def held(connection: "Connection") -> Result:
            self._own.connection = connection
            try:
                return work(connection)
            finally:
                del self._own.connection

        if hasattr(self._own, "connection"):
            return work(self._own.connection)
        return self._patiently(lambda: self._in_transaction(held))

    def try_once(self, work: "Callable[[Connection], Result]") -> Result:
        """Does something in a transaction of its own. Raises as `run` does, but at once."""
        try:
            return self._in_transaction(work)
        except SQLAlchemyError as error:
            raise StorageError(f"{self.place}: {_reason(error)}") from error

    def _in_transaction(self, work: "Callable[[Connection], Result]") -> Result:
        with self.engine.begin() as connection:
            return work(connection)

    def _patiently(self, work: Callable[[], Result]) -> Result:
        # Of a lost connection, of a deadlock, of a server that shuts down: nothing that the caller did.
        away = (OperationalError, InterfaceError)
        try:
            return patiently(work, away, self.place, _reason)
        except SQLAlchemyError as error:
            raise StorageError(f"{self.place}: {_reason(error)}") from error


@lru_cache(maxsize=8)
def open_database(address: str) -> Database:
    """The database behind an address; made ready where it is empty, opened once per process.

    Raises:
        StorageError: the address means nothing, or the database cannot be opened.
    """
    # Optuna would report each study on standard error.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url, settings = parse_address(address)
    return Database(url, **settings)


def parse_address(address: str) -> "tuple[URL, dict[str, float]]":
    """The address for SQLAlchemy, and what cdkd itself takes from it: `?heartbeat=60&grace=300`, in seconds.

    Raises:
        StorageError: it is no address of a PostgreSQL database.
    """
    example = "an address looks like postgresql+psycopg://user:password@host/database"
    try:
        url = make_url(address)
    except ArgumentError:
        # Not shown: half of an address may be a password.
        raise StorageError(f"--storage: this is no address of a database; {example}") from None
    if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise StorageError(f"--storage: {url.drivername} cannot keep a study that several machines share; {example}")
    settings = {}
    for name, default in (("heartbeat", HEARTBEAT_SECONDS), ("grace", GRACE_SECONDS)):
        given = url.query.get(name, str(default))
        try:
            settings[f"{name}_seconds"] = float(str(given))
        except ValueError:
            raise StorageError(f"--storage: {name}={given} is no number of seconds") from None
    if not 0 < 2 * settings["heartbeat_seconds"] <= settings["grace_seconds"]:
        raise StorageError("--storage: the grace period must be at least two heartbeats long")
    return url.difference_update_query(["heartbeat", "grace"]).set(drivername="postgresql+psycopg"), settings


def _open_engine(address: "URL", place: str) -> "Engine":
    arguments: dict[str, Any] = {
        # Times are compared on the server's clock alone, and in one zone.
        "options": "-c timezone=UTC",
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": "cdkd",
    }
    settings = {"connect_args": arguments, "pool_pre_ping": True, "pool_size": 2}
    text_address = address.render_as_string(hide_password=False)
    try:
        engine = create_engine(address, **settings)
        with engine.begin() as connection:
            # Many processes that make the tables of one database at once disturb each other.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SET_UP_LOCK})
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                storage = RDBStorage(text_address, settings)
            _make_indexes(connection)
        engine.dispose()
        opened: Engine = storage.engine
    except ImportError as error:
        raise StorageError(f"{place}: psycopg is not installed; pip install 'cdkd[postgres]'") from error
    except Exception as error:  # SQLAlchemy's, Optuna's, alembic's: there is no common root
        raise StorageError(f"{place}: the database cannot be used: {_reason(error)}") from error
    return opened


def _make_indexes(connection: "Connection") -> None:
    # Not IF NOT EXISTS alone, which would wait for all who write to the table before it looks.
    sql = "SELECT indexname FROM pg_indexes WHERE schemaname = ANY(current_schemas(false))"
    known = set(connection.execute(text(sql)).scalars())
    for name, columns in _INDEXES.items():
        if name in known:
            continue
        try:
            with connection.begin_nested():
                connection.execute(text(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}"))
        except ProgrammingError:
            # The tables are another user's. All works without; it is slower.
            return


def _reason(error: BaseException) -> str:
    """The driver's own words, of which there are many lines."""
    cause = getattr(error, "orig", None) or error.__cause__ or error
    return str(cause).strip().partition("\n")[0]
