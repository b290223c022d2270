"""Which errors say that a tracking store is away for now: locked, moved, unreachable, its disk full.

Everything else is a refusal, which would come again however often the same thing was sent.
"""

import errno
import sqlite3
import sys
from collections.abc import Iterator

from cdkd.tracking.store import StoreAway, first_line

_MACHINE_ERRNOS = {
    errno.EDQUOT,
    errno.EHOSTDOWN,
    errno.EIO,
    errno.ENETUNREACH,
    errno.ENOSPC,
    errno.ENOTCONN,
    errno.ESTALE,
}
_MLFLOW_CODES = {"TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR", "REQUEST_LIMIT_EXCEEDED"}


def outage_reason(error: BaseException) -> str | None:
    """Why a store is away, in one line; None where the error says something else."""
    chain = list(causes(error))
    # A database that refuses a value fails with MLflow's code of an internal error, too.
    if any(_is_refusal(one) for one in chain):
        return None
    # The innermost says it in the plainest words.
    return first_line(chain[-1]) if any(_is_outage(one) for one in chain) else None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from, outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _is_refusal(error: BaseException) -> bool:
    database = sys.modules.get("sqlalchemy.exc")
    return database is not None and isinstance(error, database.IntegrityError | database.DataError)


def _is_outage(error: BaseException) -> bool:
    # TimeoutError and ConnectionError, of the standard library, are OSErrors; so are those of `requests`.
    if isinstance(error, StoreAway | sqlite3.OperationalError | ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError):
        return error.errno in _MACHINE_ERRNOS or type(error).__module__.startswith("requests.")
    database = sys.modules.get("sqlalchemy.exc")
    if database is not None and isinstance(error, database.OperationalError | database.InterfaceError):
        return True
    return getattr(error, "error_code", None) in _MLFLOW_CODES
