"""The folder where cdkd keeps what it can make again, and the record in it of where prepared data sets lie.

CDKD_HOME/
    datasets.json            data set name to the folders it was prepared in, the latest first
    shapes/  folder/         generated and transcoded data sets, one folder each
    teachers/  ...           what was trained or downloaded
"""

import json
import os
from pathlib import Path

from cdkd.atomic_write import atomic_write
from cdkd.data.manifest import DatasetError, has_manifest
from cdkd.file_lock import FileLock

SOURCE_NAME = "source.json"
"""In a folder of the cache: what it was made of, under the key `source`."""


def cdkd_home() -> Path:
    """`CDKD_HOME`, else the user's cache folder for cdkd; it need not exist yet."""
    given = os.environ.get("CDKD_HOME")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("cdkd")


def home_error(path: Path, error: OSError) -> DatasetError:
    """A ready error for something below `CDKD_HOME` that cannot be written."""
    return DatasetError(
        f"{path}: cannot be written: {error.strerror or error}; CDKD_HOME names another folder for what cdkd keeps"
    )


def _record() -> Path:
    return cdkd_home() / "datasets.json"


def known_folders() -> dict[str, tuple[Path, ...]]:
    """Data set name to the folders it was prepared in, the latest first; they may be gone by now.

    Raises:
        DatasetError: the record was damaged.
    """
    path = _record()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {name: tuple(Path(folder) for folder in folders) for name, folders in values.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); delete it, it only tells where data sets lie") from error


def remember(name: str, folder: Path) -> None:
    """Puts a folder first among those of a data set.

    Raises:
        DatasetError: the record cannot be read or written.
    """
    path = _record()
    resolved = folder.resolve()
    try:
        with FileLock(path.with_suffix(".lock")):
            folders = known_folders()
            others = [other for other in folders.get(name, ()) if other != resolved]
            folders[name] = (resolved, *others)
            values = {key: [str(place) for place in places] for key, places in sorted(folders.items())}
            atomic_write(path, json.dumps(values, indent=1))
    except OSError as error:
        raise home_error(path, error) from error


def cached_folders(name: str) -> dict[Path, str]:
    """The data sets of a name that were generated or transcoded into the cache, to what each was made of, if of files.

    The files may be gone by now.
    """
    places = sorted(place for place in (cdkd_home() / name).glob("*/") if has_manifest(place))
    return {place: _source_of(place) for place in places}


def _source_of(folder: Path) -> str:
    try:
        return str(json.loads((folder / SOURCE_NAME).read_text(encoding="utf-8"))["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
