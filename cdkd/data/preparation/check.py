"""Compares a prepared data set with its manifest, its annotation and the official counts."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from cdkd.data.annotations.annotation import read_text
from cdkd.data.annotations.spec import DatasetSpec
from cdkd.data.manifest import DatasetError, LabelledVideo, Manifest, file_digest, read_manifest, split_numbers
from cdkd.data.preparation.worklist import QUARANTINE_NAME


@dataclass(frozen=True)
class PartCheck:
    """One part of one split."""

    split: int
    part: str
    official: int | None
    """Videos in the publisher's list; None: not fixed."""
    listed: int
    """Videos in the annotation files that the set was prepared from."""
    present: int
    """Videos that are prepared and on disk."""


@dataclass(frozen=True)
class LeftOut:
    """A listed video that the prepared set does not hold."""

    path: str
    kind: str
    """broken: an unusable file or none; missing: not in this copy, where copies differ."""
    reason: str


@dataclass(frozen=True)
class CheckReport:
    """What a check found."""

    name: str
    root: Path
    versions: dict[int, str]
    """Split to version of the manifest."""
    parts: tuple[PartCheck, ...]
    left_out: tuple[LeftOut, ...]
    damaged: tuple[str, ...]
    """Files of the manifest that are gone, empty or not those that were prepared."""
    problems: tuple[str, ...]
    """One sentence each; none: the set is complete."""

    @property
    def is_complete(self) -> bool:
        """Nothing that should be there is missing."""
        return not self.problems


def check_dataset(spec: DatasetSpec, root: Path, with_digests: bool = False) -> CheckReport:
    """Checks a prepared data set.

    Args:
        spec: what it should be.
        root: the folder that it was prepared in.
        with_digests: read every file and compare its hash, instead of asking only whether it is there.

    Raises:
        DatasetError: there is no readable manifest, or it is of another data set.
    """
    manifests = {split: read_manifest(root, split) for split in split_numbers(root)}
    first = next(iter(manifests.values()))
    if first.name != spec.name:
        raise DatasetError(f"{root}: holds {first.name}, not {spec.name}")
    damaged = {video.path for video in first.videos if _is_damaged(first, video, with_digests)}
    parts = tuple(row for split, manifest in manifests.items() for row in _parts(spec, split, manifest, damaged))
    left_out = _read_quarantine(root)
    return CheckReport(
        name=spec.name,
        root=root,
        versions={split: manifest.version for split, manifest in manifests.items()},
        parts=parts,
        left_out=left_out,
        damaged=tuple(sorted(damaged)),
        problems=tuple(_problems(spec, first, parts, left_out, damaged)),
    )


def _is_damaged(manifest: Manifest, video: LabelledVideo, with_digests: bool) -> bool:
    path = manifest.file(video)
    try:
        if path.stat().st_size == 0:
            return True
        return with_digests and bool(video.digest) and file_digest(path) != video.digest
    except OSError:
        return True


def _parts(spec: DatasetSpec, split: int, manifest: Manifest, damaged: set[str]) -> list[PartCheck]:
    official = spec.counts.get(split, {})
    listed = dict(pair.split("=") for pair in manifest.settings.get(f"listed_{split}", "").split())
    present = {part: 0 for part in (*official, *listed)}
    for video in manifest.videos:
        present[video.part] = present.get(video.part, 0) + (video.path not in damaged)
    return [
        PartCheck(split, part, official.get(part), int(listed.get(part, 0)), count) for part, count in present.items()
    ]


def _problems(
    spec: DatasetSpec,
    manifest: Manifest,
    parts: tuple[PartCheck, ...],
    left_out: tuple[LeftOut, ...],
    damaged: set[str],
) -> list[str]:
    problems = []
    if spec.num_classes is not None and len(manifest.classes) != spec.num_classes:
        problems.append(f"{len(manifest.classes)} classes, officially {spec.num_classes}")
    for row in parts:
        # Nobody trains or tests on what is unused.
        if row.part == "unused":
            continue
        place = f"split {row.split}, {row.part}"
        if row.official is not None and row.listed != row.official:
            problems.append(f"{place}: the annotation lists {row.listed:,} videos, officially {row.official:,}")
        if row.present < row.listed and not spec.copies_differ:
            problems.append(f"{place}: {row.listed - row.present:,} of {row.listed:,} listed videos are not there")
    num_broken = sum(entry.kind == "broken" for entry in left_out)
    if num_broken:
        problems.append(f"{num_broken:,} listed videos could not be used; {QUARANTINE_NAME} says why")
    if damaged:
        problems.append(f"{len(damaged):,} prepared files are gone or changed; prepare the data set again")
    return problems


def _read_quarantine(root: Path) -> tuple[LeftOut, ...]:
    path = root / QUARANTINE_NAME
    if not path.exists():
        return ()
    rows = list(csv.reader(io.StringIO(read_text(path), newline="")))
    return tuple(LeftOut(*row) for row in rows[1:] if len(row) == 3)
