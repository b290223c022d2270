"""Files that are there in full or not at all: a reader, or a crash, finds the old content or the new, never a part."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(target: Path, suffix: str = ".part", is_synced: bool = True) -> Iterator[Path]:
    """A file beside `target` to write to; when that is done without an error it takes the target's place.

    It gets the rights that the umask leaves to new files. Missing folders are made.

    Args:
        target: what was there before stays there until the end.
        suffix: of the file to write to, for writers that go by it.
        is_synced: the content is on the disk before it takes the target's place, so that a power failure, too,
            leaves one of both; False for what is written often and matters little.

    Raises:
        OSError: it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder: a rename replaces a file in one step only within one file system. Hidden and under a random
    # name, so that two writers do not meet; 80 letters, since a name may have 255 bytes.
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:80]}.", suffix=suffix, dir=target.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        if is_synced:
            # Opened again by its path: the caller may have written through a library that never shows its descriptor.
            with open(temporary, "rb+") as stream:
                os.fsync(stream.fileno())
        # `mkstemp` gives rights to the owner alone. There is no asking for the umask but by setting it.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, target)
    finally:
        # After the rename there is nothing left under this name.
        temporary.unlink(missing_ok=True)


def atomic_write(target: Path, content: str | bytes, is_synced: bool = True) -> None:
    """Writes a whole file at once; text as UTF-8, in which bytes of file names that are none come out as they went in.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    with atomic_file(target, is_synced=is_synced) as temporary:
        temporary.write_bytes(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)
