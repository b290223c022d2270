"""Reports as files."""

from pathlib import Path

from cdkd.report.tracked import ReportError
from cdkd.whole_file import write_whole


def write_atomically(path: Path, content: bytes) -> Path:
    """Writes a whole file; missing folders are made.

    Raises:
        ReportError: the file cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise ReportError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path
