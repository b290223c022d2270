"""The data set of a run as MLflow knows data sets: each part under its name, its version as digest, what it was for."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cdkd.tracking.study_file import StoredDataset

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput
    from mlflow.tracking import MlflowClient

_PARTS = {"train": "training", "test": "test"}
"""Part -> what a run uses it for, in MLflow's words."""
_TOLD = ("split", "clip", "views", "dataset_version", "dataset_hash", "unlabelled", "trained_on")
_MAX_DIGEST_LENGTH = 36
_CONTEXT = "mlflow.data.context"
_TRIES = 5


def log_dataset(client: "MlflowClient", run_id: str, metadata: Mapping[str, str]) -> None:
    """Notes the data set of a run's metadata as its inputs; nothing where they name none.

    MLflow keeps one of two of equal name and digest: what is sent twice counts once, and each part needs a name.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    name = metadata.get("dataset")
    if not name:
        return
    digest = (metadata.get("dataset_hash") or metadata.get("dataset_version") or "unknown")[:_MAX_DIGEST_LENGTH]
    source = json.dumps({key: metadata[key] for key in _TOLD if key in metadata})
    inputs = []
    for part, context in _PARTS.items():
        number = metadata.get(f"num_{part}_videos")
        profile = None if number is None else json.dumps({"num_videos": int(number)})
        found = Dataset(f"{name} {part}", digest, "cdkd", source, schema=None, profile=profile)
        inputs.append(DatasetInput(found, [InputTag(_CONTEXT, context)]))
    log_inputs(client, run_id, inputs)


def log_inputs(client: "MlflowClient", run_id: str, inputs: "Sequence[DatasetInput]") -> None:
    """Notes data sets as a run's inputs.

    MLflow looks whether an experiment knows a data set, and adds it else: of several runs that begin with one at the
    same moment one can, the others are refused by the database. They find it when they look again.

    Raises:
        MlflowException: refused again and again.
    """
    from mlflow.exceptions import MlflowException

    for attempt in range(_TRIES):
        try:
            return client.log_inputs(run_id, datasets=list(inputs))
        except MlflowException:
            if attempt == _TRIES - 1:
                raise


def stored_dataset(found: "DatasetInput") -> StoredDataset:
    """An input as a study's file holds it."""
    dataset = found.dataset
    context = next((tag.value for tag in found.tags if tag.key == _CONTEXT), "")
    return StoredDataset(
        name=dataset.name,
        digest=dataset.digest,
        source_type=dataset.source_type,
        source=dataset.source,
        schema=dataset.schema or "",
        profile=dataset.profile or "",
        context=context,
    )


def dataset_input(stored: StoredDataset) -> "DatasetInput":
    """The inverse of `stored_dataset`."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    texts = (stored.name, stored.digest, stored.source_type, stored.source)
    found = Dataset(*texts, schema=stored.schema or None, profile=stored.profile or None)
    return DatasetInput(found, [InputTag(_CONTEXT, stored.context)])
