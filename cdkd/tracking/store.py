"""Where tracked numbers are kept: the tracking address, and a client of the store behind it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from cdkd.errors import CdkdError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

DEFAULT_URI = "sqlite:///mlflow.db"
"""Exactly what a bare `mlflow ui` reads in the same folder."""


class TrackingError(CdkdError):
    """The tracking store is missing or cannot do what is asked; the text names it and the remedy."""


def tracking_uri() -> str:
    """`MLFLOW_TRACKING_URI` when it is set, else an SQLite file in the working directory."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def database_file(uri: str) -> Path | None:
    """The file behind an `sqlite:///` address; None for every other kind of store."""
    parts = urlsplit(uri)
    # sqlite:///relative.db has the path "/relative.db", sqlite:////absolute.db "//absolute.db".
    return Path(unquote(parts.path[1:])) if parts.scheme == "sqlite" and len(parts.path) > 1 else None


def require_store(uri: str) -> None:
    """Refuses to read from an SQLite file that is not there; a client would create it, empty.

    Raises:
        TrackingError: there is no such file, or it is empty.
    """
    file = database_file(uri)
    if file is not None and (not file.exists() or file.stat().st_size == 0):
        raise TrackingError(
            f"no tracked runs: {file} does not exist; run a sweep in this folder first (cdkd sweep ablation.yaml), "
            "or name another store with MLFLOW_TRACKING_URI or --tracking-uri"
        )


def open_client(uri: str) -> "MlflowClient":
    """A client of the store; imports MLflow (1-2 s) on first use."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from mlflow.tracking import MlflowClient

    file = database_file(uri)
    # MLflow keeps one connection per address, so an address must not depend on the working directory.
    return MlflowClient(tracking_uri=uri if file is None else f"sqlite:///{file.absolute()}")
