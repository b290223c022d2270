"""Reports as files."""

from pathlib import Path

from cdkd.atomic_write import atomic_write
from cdkd.report.tracked import ReportError


def write_atomically(path: Path, content: bytes) -> Path:
    """Writes a whole file; missing folders are made.

    Raises:
        ReportError: the file cannot be written.
    """
    try:
        atomic_write(path, content)
    except OSError as error:
        raise ReportError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path
