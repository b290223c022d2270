"""Remembers where prepared data sets lie, so that they can be listed and found by name."""

import json
from pathlib import Path

from filelock import FileLock

from cdkd.atomic_write import atomic_write
from cdkd.data.home import cdkd_home
from cdkd.data.manifest import DatasetError


def _file() -> Path:
    return cdkd_home() / "datasets.json"


def known_folders() -> dict[str, tuple[Path, ...]]:
    """Data set name to the folders it was prepared in, the latest first; they may be gone by now.

    Raises:
        DatasetError: the record was damaged.
    """
    path = _file()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {name: tuple(Path(folder) for folder in folders) for name, folders in values.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); delete it, it only tells where data sets lie") from error


def remember(name: str, folder: Path) -> None:
    """Puts a folder first among those of a data set.

    Raises:
        DatasetError: the record cannot be read or written.
    """
    path = _file()
    resolved = folder.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            folders = known_folders()
            others = [other for other in folders.get(name, ()) if other != resolved]
            folders[name] = (resolved, *others)
            values = {key: [str(place) for place in places] for key, places in sorted(folders.items())}
            atomic_write(path, json.dumps(values, indent=1))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be written: {error}; CDKD_HOME names another folder for it") from error
