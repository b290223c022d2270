"""A trained network by what a user calls it: a checkpoint file, a tracked run, a registered model."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cdkd.errors import CdkdError

_RUN_ID = re.compile(r"[0-9a-f]{32}")


class ModelReferenceError(CdkdError):
    """What was given names no trained network."""


@contextmanager
def checkpoint_file(reference: str | Path, tracking_uri: str | None = None) -> Iterator[Path]:
    """The checkpoint behind a path, a run id or `models:/name/version`; a fetched copy lives as long as the context.

    Args:
        reference: any of the three.
        tracking_uri: the store of runs and models; None: `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.

    Raises:
        ModelReferenceError: it is none of the three.
        TrackingError: the tracking store has no such run, model or checkpoint.
    """
    if Path(reference).is_file():
        yield Path(reference)
        return
    name = str(reference)
    if not (name.startswith("models:/") or _RUN_ID.fullmatch(name)):
        raise ModelReferenceError(
            f"{name}: no such file; give a checkpoint (.safetensors), "
            "the id of a tracked run (32 hexadecimal digits), or models:/name/version"
        )
    from cdkd.tracking.artifacts import fetch_checkpoint

    with TemporaryDirectory(prefix="cdkd-model-") as folder:
        yield fetch_checkpoint(name, Path(folder), tracking_uri)
