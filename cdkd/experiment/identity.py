"""Who a run and its teacher are: what decides their results, with the content behind paths in the paths' place.

A data set that is moved is the same data set, and a file that is replaced under its name is another one. So of the
settings that can change a result (`effective_settings`), `data.root` and `data.unlabelled` give way to the version of
what lies there, and every file of weights to the hash of its bytes. Imports no torch.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from cdkd.config import ConfigError
from cdkd.data.manifest import file_digest
from cdkd.data.opening import dataset_version
from cdkd.data.unlabelled import is_part, unlabelled_version
from cdkd.effective_settings import BEFORE, CONTENT, WEIGHT_FILES, effective_settings, has_effect
from cdkd.settings import NAMED_WEIGHTS, NO_UNLABELLED, DataSettings, RunConfig, flat_settings

_NOT_THE_TEACHERS = (
    "data.motion",
    "data.residual",
    "data.unlabelled",
    "data.unlabelled_videos",
    "data.shapes.draw",
)
"""What of the data a teacher never meets: it sees raw frames, and learns from labels, of videos whoever drew them."""
_UNKNOWN = "not prepared"


def cell_identity(config: RunConfig) -> str:
    """Twelve hexadecimal digits that two runs share exactly when their results must be equal.

    Raises:
        ConfigError: a file of weights that the run reads is not there.
        DatasetError: the data set is damaged, or not where the settings say.
    """
    return seeded_identity(row_identity(config), config.seed)


def row_identity(config: RunConfig) -> str:
    """What the cells of a row share, whatever their seeds. Raises as `cell_identity` does."""
    settings = effective_settings({**flat_settings(config), **_pulls(config)})
    # Added by `seeded_identity`, so that the cells of a row cost one look at the data set and the files together.
    del settings["seed"]
    return _digest(settings, config.data)


def seeded_identity(row: str, seed: int) -> str:
    """The identity of the row's cell with this seed."""
    return hashlib.sha256(f"{row} {seed}".encode()).hexdigest()[:12]


def teacher_identity(config: RunConfig) -> str:
    """The same of the teacher: its own settings, the data it learns from, the clip's geometry."""
    flat = flat_settings(config)
    settings = {
        key: value
        for key, value in flat.items()
        if key.startswith(("teacher.", "data.")) and key not in _NOT_THE_TEACHERS and has_effect(key, flat)
    }
    return _digest(settings, config.data)


def is_data_known(config: RunConfig) -> bool:
    """The run's data set has a version: it exists, or follows from its settings alone."""
    return dataset_version(config.data) is not None


def logged_settings(config: RunConfig) -> dict[str, Any]:
    """Every setting by its dotted key, and what settings stand for, as far as they do not say it themselves.

    `content.<key>` is the hash of each file that the run reads, so that a table can tell runs apart whose files had one
    name, and join those whose one file had two; `distill.<loss>.pull` is what a calibrated weight of 1 means.
    """
    settings = flat_settings(config)
    contents = contents_of(effective_settings(settings))
    return {**settings, **_pulls(config), **{f"{CONTENT}{key}": digest for key, digest in contents.items()}}


def _pulls(config: RunConfig) -> dict[str, float]:
    """Constants of units: where one is changed, the same weight is another objective."""
    return {f"distill.{name}.pull": loss.pull for name, loss in config.distill.calibrated.items()}


def contents_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """Hash of what lies behind those of the dotted settings that name files or folders, by key.

    Raises:
        ConfigError: a file is not there.
        DatasetError: what is there of the unlabelled videos cannot be read.
    """
    found = {}
    for key in WEIGHT_FILES:
        # A list of files, one file, a name that torchvision knows, or nothing.
        value = settings.get(key)
        paths = value if isinstance(value, list | tuple) else [] if value is None or value in NAMED_WEIGHTS else [value]
        if paths:
            found[key] = " ".join(_file_digest(key, path) for path in paths)
    unlabelled = settings.get("data.unlabelled", NO_UNLABELLED)
    # A part's content is the data set's.
    if unlabelled != NO_UNLABELLED and not is_part(unlabelled):
        found["data.unlabelled"] = unlabelled_version(unlabelled) or _UNKNOWN
    return found


def _digest(settings: Mapping[str, Any], data: DataSettings) -> str:
    version = dataset_version(data) or _UNKNOWN
    settings = {key: value for key, value in settings.items() if key not in BEFORE or value != BEFORE[key]}
    # Contents overwrite the paths, whose keys they have. Sorted, since the order of settings means nothing.
    text = json.dumps({**settings, **contents_of(settings), "data.version": version}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _file_digest(key: str, path: str) -> str:
    try:
        # Size and time are part of the cache's key in `_hash`: a file of gigabytes is read once, not once per cell.
        status = os.stat(path)
    except OSError as error:
        remedy = "import one with `cdkd teacher import`" if key == "teacher.checkpoint" else "name a file that is there"
        raise ConfigError(f"{key}: {path} does not exist ({error.strerror}); {remedy}") from error
    return _hash(Path(path), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _hash(path: Path, size: int, modified_ns: int) -> str:
    """Of a file's bytes; read again only when its size or time of change differ."""
    return file_digest(path)
