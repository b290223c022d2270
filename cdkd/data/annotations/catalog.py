"""The table of the data sets that cdkd knows: facts alone, so that whoever asks needs neither torch nor a file.

A data set is a file of this folder that bears its name and holds a `SPEC`, and its name in `cdkd.settings.DatasetName`.
"""

from importlib import import_module
from typing import get_args

from cdkd.data.annotations.spec import DatasetSpec
from cdkd.data.manifest import DatasetError
from cdkd.settings import DatasetName


def _read_spec(name: str) -> DatasetSpec:
    spec: DatasetSpec = import_module(f"cdkd.data.annotations.{name}").SPEC
    return spec


DATASETS: dict[str, DatasetSpec] = {name: _read_spec(name) for name in (*get_args(DatasetName), "unlabelled")}
"""By name. `unlabelled` is none to train on alone: it stands beside another, as `data.unlabelled`."""


def dataset_spec(name: str) -> DatasetSpec:
    """A data set by name.

    Raises:
        DatasetError: unknown; the text lists the known ones.
    """
    if name not in DATASETS:
        raise DatasetError(f"{name}: no such data set; known: {', '.join(DATASETS)}")
    return DATASETS[name]


def default_views(name: str) -> tuple[int, int]:
    """Clips and crops per test video in the paper's protocol."""
    return dataset_spec(name).views
