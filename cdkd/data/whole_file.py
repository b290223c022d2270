"""A text file that is there in full or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path


def write_text_whole(target: Path, text: str) -> None:
    """Writes UTF-8 under another name, then gives it its own.

    A file name inside may hold bytes that are no UTF-8; they come out as they went in.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
