"""Checkpoints that tracked runs keep: found by run or by registered model, and registered on request."""

from pathlib import Path
from typing import TYPE_CHECKING

from cdkd.tracking import store, tags
from cdkd.tracking.store import TrackingError, first_line, open_client
from cdkd.tracking.tracker import CHECKPOINT

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

SUFFIX = ".safetensors"
MODELS_SCHEME = "models:/"


def fetch_checkpoint(reference: str, folder: Path, tracking_uri: str | None = None) -> Path:
    """A copy, below `folder`, of the checkpoint of a run id or of `models:/name/version` (or `models:/name@alias`).

    Raises:
        TrackingError: there is no such store, run or model, or the run keeps no checkpoint.
    """
    from mlflow.exceptions import MlflowException

    uri = tracking_uri or store.tracking_uri()
    client = open_client(uri, must_exist=True)
    try:
        # A registered version is looked up to its run, so that both ways lead to the same file and the same errors.
        run_id = _registered_run(client, reference) if reference.startswith(MODELS_SCHEME) else reference
        path = _checkpoint_of(client, run_id, uri)
        folder.mkdir(parents=True, exist_ok=True)
        return Path(client.download_artifacts(run_id, path, str(folder)))
    except (MlflowException, OSError) as error:
        raise TrackingError(f"{reference}: no checkpoint can be fetched from {uri}: {first_line(error)}") from error


def run_behind(reference: str, tracking_uri: str | None = None) -> str:
    """The run id behind a run id or a registered model (`models:/name/version`, `models:/name@alias`).

    Raises:
        TrackingError: there is no such store or model.
    """
    from mlflow.exceptions import MlflowException

    if not reference.startswith(MODELS_SCHEME):
        return reference
    uri = tracking_uri or store.tracking_uri()
    try:
        return _registered_run(open_client(uri, must_exist=True), reference)
    except MlflowException as error:
        raise TrackingError(f"{reference}: is not in {uri}: {first_line(error)}") from error


def register_run(run_id: str, name: str, tracking_uri: str | None = None) -> str:
    """Makes a run's checkpoint the next version of a registered model; returns the version.

    Raises:
        TrackingError: there is no such store or run, it did not finish, it keeps no checkpoint, or MLflow refuses.
    """
    from mlflow.exceptions import MlflowException

    uri = tracking_uri or store.tracking_uri()
    client = open_client(uri, must_exist=True)
    try:
        run = client.get_run(run_id)
        if run.info.status != "FINISHED":
            raise TrackingError(f"run {run_id} is {run.info.status.lower()}; only finished runs can be registered")
        path = _checkpoint_of(client, run_id, uri)
        # Created on first use. The comparison is made here again: databases may ignore case in theirs.
        if not any(found.name == name for found in client.search_registered_models(f"name = '{name}'")):
            client.create_registered_model(name)
        source = f"{run.info.artifact_uri}/{path}"
        return str(client.create_model_version(name, source, run_id).version)
    except MlflowException as error:
        raise TrackingError(f"run {run_id} cannot be registered in {uri}: {first_line(error)}") from error


def _registered_run(client: "MlflowClient", reference: str) -> str:
    name, _, alias = reference.removeprefix(MODELS_SCHEME).partition("@")
    if alias:
        version = client.get_model_version_by_alias(name, alias)
    else:
        name, slash, number = name.rpartition("/")
        if not (slash and number):
            raise TrackingError(f"{reference}: expected models:/name/version or models:/name@alias")
        version = client.get_model_version(name, number)
    if not version.run_id:
        raise TrackingError(f"{reference}: was not registered from a run; register one with cdkd register RUN_ID")
    return str(version.run_id)


def _checkpoint_of(client: "MlflowClient", run_id: str, uri: str) -> str:
    files = [found.path for found in client.list_artifacts(run_id, CHECKPOINT) if found.path.endswith(SUFFIX)]
    if len(files) != 1:
        raise TrackingError(f"run {run_id} of {uri} keeps {len(files)} checkpoints: {_why(client.get_run(run_id))}")
    return str(files[0])


def _why(run: "Run") -> str:
    """What a run without a checkpoint is, and what to give instead."""
    found = run.data.tags
    if found.get(tags.ROLE) == "stage":
        cells = f"the id of the run of one of its cells; `mlflow ui` shows them below it in study {found[tags.STUDY]}"
        return f"it is the parent run of stage {found[tags.STAGE]}, which trains nothing; give {cells}"
    for prefix in (tags.METADATA, tags.FORMER_METADATA):
        if found.get(tags.ROLE) == "teacher" and prefix + "checkpoint" in found:
            return f"it is a teacher's of an earlier version; give its file: {found[prefix + 'checkpoint']}"
    status = found.get(tags.STATUS, "running")
    return f"it is {found.get(tags.LABEL, 'no run of cdkd')} ({status}); only runs that finished keep one"
