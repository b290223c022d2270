"""What a user calls a study that has run: its name, its folder, or the file that it was read from."""

from pathlib import Path

from cdkd.config import ConfigError, load_document
from cdkd.errors import CdkdError
from cdkd.suggestion import hint
from cdkd.sweep.queue.queue_storage import stored_studies
from cdkd.sweep.queue.study_folder import HOME, StudyFolder, study_folder
from cdkd.sweep.study.finder import find_study


def find_study_folder(text: str, database: str | None = None) -> StudyFolder:
    """The folder with the state of a study; where only a database has one, it does not exist.

    Args:
        text: what the user calls the study.
        database: address of one to look in, too; a journal in the study's folder goes before it.

    Raises:
        CdkdError: nothing of such a study has run here; the text lists those of which something has.
    """
    name = _name_in_file(text)
    # A study's name first, as it is what all commands print; a name is no path, so that neither hides the other.
    candidates = [study_folder(text)] if "/" not in text else []
    candidates.append(StudyFolder(Path(text)))
    candidates += [study_folder(name)] if name is not None else []
    here = next((folder for folder in candidates if folder.has_trials), None)
    if here is not None and (database is None or here.storage in (None, database)):
        return here
    if database is None:
        known = [folder.path.name for folder in known_study_folders()]
        raise CdkdError(
            f"{text}: no study of this name has run in {Path.cwd()} (where a database has its cells, name that: "
            f"--storage ADDRESS, or CDKD_STORAGE); {hint(text, known, 'studies')}"
        )
    known = stored_studies(database)
    for folder in candidates:
        if folder.path.name in known:
            return StudyFolder(folder.path if folder is here else study_folder(folder.path.name).path, database)
    raise CdkdError(
        f"{text}: no study of this name is in the database (cdkd sweep puts one there), nor has one run in "
        f"{Path.cwd()}; {hint(text, known, 'studies')}"
    )


def known_study_folders(database: str | None = None) -> list[StudyFolder]:
    """The studies of the working directory, and those of a database, by name."""
    here = {path.name: folder for path in sorted(HOME.glob("*/")) if (folder := StudyFolder(path)).has_trials}
    there = [] if database is None else [name for name in stored_studies(database) if name not in here]
    found = {**here, **{name: StudyFolder(study_folder(name).path, database) for name in there}}
    return [found[name] for name in sorted(found)]


def _name_in_file(text: str) -> str | None:
    try:
        name = load_document(find_study(text)).values.get("study")
    except ConfigError:
        return None
    return None if name is None else str(name)
