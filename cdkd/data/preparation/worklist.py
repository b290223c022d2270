"""Which videos a preparation makes, under which names, and the manifest that they become."""

import csv
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

from cdkd.atomic_write import atomic_write
from cdkd.data.annotations.annotation import Annotation
from cdkd.data.annotations.spec import DatasetSpec
from cdkd.data.manifest import DatasetError, Manifest, content_version, make_manifest, write_splits
from cdkd.data.preparation.job_shards import ShardResult
from cdkd.data.preparation.transcoding import TranscodeSettings
from cdkd.data.source_files import VIDEO_SUFFIXES

QUARANTINE_NAME = "quarantine.csv"
VIDEOS_FOLDER = "videos"


@dataclass(frozen=True)
class Worklist:
    """The videos that are wanted; built by `make_worklist`."""

    spec: DatasetSpec
    annotations: Mapping[int, Annotation]
    """Split to what is listed for it."""
    settings: TranscodeSettings
    paths: tuple[str, ...]
    """Published paths of the wanted videos, in order."""
    targets: Mapping[str, str]
    """Published path to the transcoded file's, relative to the output."""
    key: str
    """Equal for equal rows, choice and settings."""

    @property
    def listed(self) -> set[str]:
        """Published paths of all videos, wanted or not."""
        return {video.path for annotation in self.annotations.values() for video in annotation.videos}

    def work_name(self, path: str) -> str:
        """Name of a file in the making; short, however long the video's own is."""
        return f"{hashlib.sha256(path.encode('utf-8', 'surrogateescape')).hexdigest()[:24]}.mp4"

    def write(self, output: Path, result: ShardResult, with_manifest: bool) -> dict[int, Manifest]:
        """Writes the list of what was left out and, if wanted, the manifest; returns it by split."""
        atomic_write(output / QUARANTINE_NAME, _quarantine(result))
        if not with_manifest:
            return {}
        manifests = {split: self._manifest(output, split, result) for split in self.annotations}
        write_splits(output, manifests)
        return manifests

    def remove_unlisted(self, output: Path) -> None:
        """Deletes the transcoded videos that are no longer listed, and the folders that this leaves empty."""
        listed = {output / target for target in self.targets.values()}
        for file in (output / VIDEOS_FOLDER).rglob("*.mp4"):
            if file not in listed:
                file.unlink(missing_ok=True)
        # From the leaves up, so that a folder is seen after those in it are gone.
        for folder, _, _ in os.walk(output / VIDEOS_FOLDER, topdown=False):
            if not os.listdir(folder):
                os.rmdir(folder)

    def _manifest(self, output: Path, split: int, result: ShardResult) -> Manifest:
        annotation = self.annotations[split]
        rows = {video.path: video for video in annotation.videos}
        # Every split's manifest lists every video, so that they share one folder: what a split does not know is unused
        # there.
        fallback = {video.path: video for other in self.annotations.values() for video in other.videos}
        videos = [
            replace(rows.get(path) or replace(fallback[path], part="unused"), path=self.targets[path], digest=digest)
            for path, digest in result.done.items()
        ]
        return make_manifest(self.spec.name, output, annotation.classes, videos, self._metadata(result))

    def _metadata(self, result: ShardResult) -> dict[str, str]:
        metadata = {name: str(value) for name, value in asdict(self.settings).items()}
        for split, annotation in self.annotations.items():
            counts = annotation.num_videos_per_part
            metadata[f"listed_{split}"] = " ".join(f"{part}={count}" for part, count in counts.items())
        return {
            **metadata,
            "codec": "mpeg4",
            "wanted": str(len(self.paths)),
            "broken": str(len(result.failed)),
            "missing": str(len(result.missing)),
        }


def make_worklist(
    spec: DatasetSpec, folder: Path, splits: Sequence[int], parts: Sequence[str], settings: TranscodeSettings
) -> Worklist:
    """Reads the annotation and chooses the videos that any wanted split uses for a wanted part.

    Args:
        spec: the data set.
        folder: of the annotation files.
        splits: official numbers; empty: all.
        parts: names; empty: all but unused.
        settings: of the transcoding.

    Raises:
        DatasetError: the annotation is missing or wrong, there is no such split, or nothing is left to prepare.
    """
    for split in splits:
        if split not in spec.splits:
            raise DatasetError(f"--split {split}: {spec.name} has split {', '.join(map(str, spec.splits))} only")
    annotations = {split: spec.read(folder, split) for split in sorted(set(splits or spec.splits))}
    first = next(iter(annotations.values()))
    for split, annotation in annotations.items():
        if annotation.classes != first.classes:
            raise DatasetError(f"{folder}: the lists of split {split} have other classes than those of the first split")
    wanted = {
        video.path
        for annotation in annotations.values()
        for video in annotation.videos
        if (video.part in parts if parts else video.part != "unused")
    }
    if not wanted:
        raise DatasetError(f"{folder}: lists no video of the parts {', '.join(parts) or 'that are used'}")
    paths = tuple(sorted(wanted))
    # Shards may run on different machines; the key says whether they read the same lists.
    rows = "".join(content_version(a.classes, a.videos) for a in annotations.values())
    choice = f"{spec.name} {tuple(annotations)} {sorted(parts)} {rows} {settings.key}"
    key = hashlib.sha256(choice.encode()).hexdigest()[:16]
    return Worklist(spec, annotations, settings, paths, _targets(paths), key)


def _targets(paths: Sequence[str]) -> dict[str, str]:
    """`Class/name.avi` becomes `videos/Class/name.mp4`, and stays apart from `Class/name.webm`."""
    bare = {path: _without_suffix(path) for path in paths}
    seen: dict[str, int] = {}
    for name in bare.values():
        seen[name] = seen.get(name, 0) + 1
    return {path: f"{VIDEOS_FOLDER}/{name if seen[name] == 1 else path}.mp4" for path, name in bare.items()}


def _without_suffix(path: str) -> str:
    suffix = PurePosixPath(path).suffix
    return path.removesuffix(suffix) if suffix.casefold() in VIDEO_SUFFIXES else path


def _quarantine(result: ShardResult) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["path", "kind", "reason"])
    rows = [(path, "broken", reason) for path, reason in result.failed.items()]
    rows += [(path, "missing", "not in this copy") for path in result.missing]
    writer.writerows(sorted(rows))
    return stream.getvalue()
