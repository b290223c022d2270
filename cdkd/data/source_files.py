"""Where the video files of a data set lie, whatever folders a copy keeps them in."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

from cdkd.data.annotations.spec import DatasetSpec, SourceLayout
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
    """Finds published videos in a copy of a data set, and never takes one for another.

    What may differ from the published path follows from the data set's `layout`:

        exact        kick/clip.avi                    nothing: anybody's folder or table names its own files
        same_folder  <any>/kick/clip.<any suffix>     other projects' lists, whose paths start somewhere else
        any_folder   the same under one of `source_names`, also without a folder of the class: val/clip.mp4

    A copy without class folders is taken where the name is that of a single published video. A file below the folder
    of another class never is, whatever its name.
    """

    def __init__(self, folder: Path, spec: DatasetSpec, published: Iterable[str]) -> None:
        """
        Args:
            folder: where the copy lies.
            spec: the data set.
            published: the paths of all of its videos, wanted or not.
        """
        self._folder = folder
        self._spec = spec
        self._by_name: defaultdict[str, list[str]] = defaultdict(list)
        if spec.layout != "exact":
            for path in list_videos(folder):
                self._by_name[self._key(_stem(PurePosixPath(path)))].append(path)
        paths = [PurePosixPath(path) for path in published]
        self._classes = {self._class_of(path.parent.name) for path in paths} - {""}
        self._num_published = Counter(self._key(name) for path in paths for name in spec.source_names(_stem(path)))

    def find(self, published: str) -> Path | None:
        """The file of a published `folder/name.suffix`; None: there is none, or several that it might be."""
        exact = self._folder / published
        if exact.is_file():
            return exact
        wanted = PurePosixPath(published)
        for name in self._spec.source_names(_stem(wanted)):
            candidates = [path for path in self._by_name.get(self._key(name), ()) if (self._folder / path).is_file()]
            found = _LAYOUTS[self._spec.layout](self, wanted.parent, name, candidates)
            if found is not None:
                return self._folder / found
        return None

    def in_same_folder(self, wanted: PurePosixPath, name: str, candidates: Sequence[str]) -> str | None:
        """The only candidate whose innermost folders are all of those wanted."""
        del name
        num = len(wanted.parts)
        fitting = [path for path in candidates if PurePosixPath(path).parts[-1 - num : -1] == wanted.parts]
        return fitting[0] if len({PurePosixPath(path).parent for path in fitting}) == 1 else None

    def in_any_folder(self, wanted: PurePosixPath, name: str, candidates: Sequence[str]) -> str | None:
        """A candidate of the wanted class; else one of no class whose name no other published video has."""
        homes = {path: self._home(path) for path in candidates}
        own = [path for path, home in homes.items() if home and home == self._class_of(wanted.name)]
        if own:
            return own[0]
        is_unmistakable = self._num_published[self._key(name)] == 1
        return next((path for path, home in homes.items() if not home), None) if is_unmistakable else None

    def _home(self, path: str) -> str:
        """The innermost class folder that a file lies in; "" for none."""
        folders = (self._class_of(part) for part in reversed(PurePosixPath(path).parent.parts))
        return next((folder for folder in folders if folder in self._classes), "")

    def _class_of(self, folder: str) -> str:
        return self._key(self._spec.class_folder(folder))

    def _key(self, text: str) -> str:
        return text.casefold() if self._spec.ignore_case else text


_Choose = Callable[[SourceFiles, PurePosixPath, str, Sequence[str]], str | None]

_LAYOUTS: dict[SourceLayout, _Choose] = {
    "exact": lambda files, wanted, name, candidates: None,
    "same_folder": SourceFiles.in_same_folder,
    "any_folder": SourceFiles.in_any_folder,
}


def _stem(path: PurePosixPath) -> str:
    """A path's name without a video's suffix; lists of frame folders have none, whatever dots are in their names."""
    name, suffix = os.path.splitext(path.name)
    return name if suffix.casefold() in VIDEO_SUFFIXES else name + suffix
