"""Where a study's runs are tracked and what trains its cells: noted in its folder, taken from there by every worker.

An address such as `sqlite:///mlflow.db` means another file in every working directory, so that a worker which was
started elsewhere would look for the study in a store that does not have it.
"""

import json
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from cdkd.atomic_write import atomic_write
from cdkd.errors import CdkdError
from cdkd.sweep.queue.study_folder import StudyFolder, read_json
from cdkd.tracking.store import absolute_uri, shown


@dataclass(frozen=True)
class StoreRecord:
    """What all processes of a study share."""

    tracking_uri: str
    """Absolute."""
    runner: str
    """`module:name` of the object that trains cells."""
    import_folder: str
    """Where the runner's module was found."""


def write_store_record(folder: StudyFolder, tracking_uri: str, runner: str, is_busy: bool = False) -> StoreRecord:
    """Notes a sweep's store and runner.

    Args:
        folder: the study's.
        tracking_uri: where the sweep tracks.
        runner: that it uses; its module can be imported.
        is_busy: other processes are at work in the folder.

    Raises:
        CdkdError: others are, with another store or runner.
    """
    if is_busy and folder.store_record.exists():
        read_store_record(folder, tracking_uri, runner)
    module = runner.partition(":")[0]
    spec = find_spec(module)
    file = Path((spec and spec.origin) or "").absolute()
    # A package's __init__.py lies one folder deeper than a module of the same name.
    depth = module.count(".") + (file.name == "__init__.py")
    record = StoreRecord(absolute_uri(tracking_uri), runner, str(file.parents[depth]))
    atomic_write(folder.store_record, json.dumps(asdict(record), indent=1) + "\n")
    # The address may hold a password.
    folder.store_record.chmod(0o600)
    return record


def read_store_record(folder: StudyFolder, tracking_uri: str | None = None, runner: str | None = None) -> StoreRecord:
    """What the study's last sweep has noted.

    Args:
        folder: the study's.
        tracking_uri: that was asked for, where any was; relative to the working directory.
        runner: that was asked for, where any was.

    Raises:
        CdkdError: no sweep has noted anything, or another store or runner was asked for.
    """
    if not folder.store_record.exists():
        raise CdkdError(f"{folder.path}: no sweep of this version has run here; start with cdkd sweep")
    content = read_json(folder.store_record)
    try:
        record = StoreRecord(**content)
    except TypeError as error:
        raise CdkdError(f"{folder.store_record}: of another version of cdkd ({error}); run the sweep again") from error
    if tracking_uri is not None and absolute_uri(tracking_uri) != record.tracking_uri:
        raise CdkdError(
            f"{folder.path} tracks in {shown(record.tracking_uri)}, not in {shown(absolute_uri(tracking_uri))}: leave "
            "out --tracking-uri and MLFLOW_TRACKING_URI, or start a sweep with the other store"
        )
    if runner is not None and runner != record.runner:
        raise CdkdError(f"{folder.path}: its cells are trained by {record.runner}, not by {runner}")
    return record
