"""The data set of a run as MLflow knows data sets: each part under its name, its version as digest, what it was for."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_PARTS = {"train": "training", "test": "test"}
"""Part -> what a run uses it for, in MLflow's words."""
_TOLD = ("split", "clip", "views", "dataset_version", "dataset_hash", "unlabelled", "trained_on")
_MAX_DIGEST_LENGTH = 36


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
        inputs.append(DatasetInput(found, [InputTag("mlflow.data.context", context)]))
    client.log_inputs(run_id, datasets=inputs)
