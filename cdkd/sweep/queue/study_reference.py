"""What a user calls a study that has run: its name, its folder, or the file that it was read from."""

from pathlib import Path

from cdkd.config import ConfigError, load_document
from cdkd.errors import CdkdError
from cdkd.suggestion import hint
from cdkd.sweep.queue.study_folder import HOME, StudyFolder, study_folder
from cdkd.sweep.study.finder import find_study


def find_study_folder(text: str) -> StudyFolder:
    """The folder with the state of a study.

    Raises:
        CdkdError: nothing of such a study has run here; the text lists those of which something has.
    """
    # A study's name first, as it is what all commands print; a name is no path, so that neither hides the other.
    candidates = [study_folder(text)] if "/" not in text else []
    candidates.append(StudyFolder(Path(text)))
    for folder in candidates:
        if folder.has_trials:
            return folder
    if (name := _name_in_file(text)) is not None and study_folder(name).has_trials:
        return study_folder(name)
    known = [folder.path.name for folder in known_study_folders()]
    raise CdkdError(f"{text}: no study of this name has run in {Path.cwd()}; {hint(text, known, 'studies')}")


def known_study_folders() -> list[StudyFolder]:
    """The studies of the working directory, by name."""
    return [folder for path in sorted(HOME.glob("*/")) if (folder := StudyFolder(path)).has_trials]


def _name_in_file(text: str) -> str | None:
    try:
        name = load_document(find_study(text)).values.get("study")
    except ConfigError:
        return None
    return None if name is None else str(name)
