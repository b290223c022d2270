"""Where the video files of a published data set lie, whatever folders a copy keeps them in."""

import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from cdkd.data.manifest import DatasetError

VIDEO_SUFFIXES = frozenset(
    (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".ts", ".webm", ".wmv")
)


def list_videos(folder: Path) -> tuple[str, ...]:
    """Every file below a folder that is named like a video, relative to it with forward slashes, in order.

    Links to folders are followed, each folder once. Hidden files and folders are left out.

    Raises:
        DatasetError: the folder cannot be read.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: is no folder; name the folder that holds the videos")
    seen: set[str] = set()
    found: list[str] = []

    def refuse(error: OSError) -> None:
        raise DatasetError(f"{error.filename}: cannot be read: {error.strerror}") from error

    for current, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(current)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        prefix = Path(current).relative_to(folder).as_posix()
        for name in files:
            if os.path.splitext(name)[1].casefold() in VIDEO_SUFFIXES and not name.startswith("."):
                found.append(name if prefix == "." else f"{prefix}/{name}")
    return tuple(sorted(found))


class SourceFiles:
    """Finds a published video in a copy that may keep it in another folder or under another suffix."""

    def __init__(self, folder: Path, names: Callable[[str], tuple[str, ...]], ignore_case: bool) -> None:
        """
        Args:
            folder: where the copy lies.
            names: the names without suffix under which copies keep a video, given the published one.
            ignore_case: `HandStand.avi` also stands for `Handstand.avi`.
        """
        self._folder = folder
        self._names = names
        self._ignore_case = ignore_case
        self._by_name: defaultdict[str, list[str]] = defaultdict(list)
        for path in list_videos(folder):
            self._by_name[self._key(PurePosixPath(path).stem)].append(path)

    @property
    def is_empty(self) -> bool:
        """There is no video at all."""
        return not self._by_name

    def _key(self, text: str) -> str:
        return text.casefold() if self._ignore_case else text

    def find(self, published: str) -> Path | None:
        """The file of a published `folder/name.suffix`, or None; one in a folder of that name comes first."""
        exact = self._folder / published
        if exact.is_file():
            return exact
        wanted = PurePosixPath(published)
        for name in self._names(wanted.stem):
            candidates = self._by_name.get(self._key(name), [])
            if candidates:
                same_folder = [c for c in candidates if self._key(_parent(c)) == self._key(wanted.parent.name)]
                return self._folder / (same_folder or candidates)[0]
        return None


def _parent(path: str) -> str:
    return PurePosixPath(path).parent.name
