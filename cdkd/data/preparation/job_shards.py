"""Parts of a preparation that run apart, on one machine or many, and are put together by whoever ends last."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cdkd.atomic_write import atomic_write
from cdkd.data.manifest import DatasetError


@dataclass(frozen=True)
class JobShard:
    """Number `index` of `count`, from 1."""

    index: int
    count: int

    @property
    def name(self) -> str:
        """Used in file names."""
        return f"shard-{self.index}-of-{self.count}"

    def of(self, paths: Sequence[str]) -> tuple[str, ...]:
        """This shard's part of ordered paths: every `count`-th."""
        # Every n-th and not a block: neighbours in the list are of one class, and often of similar length.
        return tuple(paths[self.index - 1 :: self.count])


WHOLE = JobShard(1, 1)
"""No sharding."""


def parse_shard(text: str) -> JobShard:
    """`I/N`, with I from 1 to N.

    Raises:
        DatasetError: the text is not of that form.
    """
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise DatasetError(f"--shard {text}: expected I/N with I from 1 to N, for example 2/8")
    return JobShard(int(index), int(count))


@dataclass(frozen=True)
class ShardResult:
    """What became of the videos of a shard."""

    worklist: str
    """Key of the worklist; results of different ones cannot be put together."""
    done: dict[str, str]
    """Published path to digest of the transcoded file."""
    failed: dict[str, str]
    """Published path to reason."""
    missing: tuple[str, ...]
    """Videos that this copy lacks, where copies differ."""

    @property
    def broken_fraction(self) -> float:
        """Failed videos among those that are there or should be."""
        total = len(self.done) + len(self.failed)
        return len(self.failed) / total if total else 0.0

    def is_acceptable(self, max_broken: float) -> bool:
        """There are videos, and no more than the given fraction is broken."""
        return bool(self.done) and self.broken_fraction <= max_broken


def write_shard(folder: Path, shard: JobShard, result: ShardResult) -> None:
    """Leaves a shard's result for the one that merges."""
    atomic_write(folder / f"{shard.name}.json", json.dumps(asdict(result)))


def read_shards(folder: Path, count: int, worklist: str) -> dict[int, ShardResult]:
    """Shard number to result, of the shards of `count` that have ended under the same worklist.

    Raises:
        DatasetError: a result cannot be read.
    """
    results = {}
    for index in range(1, count + 1):
        path = folder / f"{JobShard(index, count).name}.json"
        if path.is_file():
            try:
                values = json.loads(path.read_text(encoding="utf-8"))
                result = ShardResult(
                    values.get("worklist") or values["plan"], values["done"], values["failed"], tuple(values["missing"])
                )
            except (ValueError, TypeError, KeyError) as error:
                raise DatasetError(f"{path}: is damaged ({error}); run this shard again") from error
            # Others are left where they are: they are of another choice, and written over when that shard ends.
            if result.worklist == worklist:
                results[index] = result
    return results


def merge_shards(results: dict[int, ShardResult]) -> ShardResult:
    """All shards as one result."""
    ordered = [results[index] for index in sorted(results)]
    return ShardResult(
        worklist=ordered[0].worklist,
        done={path: digest for result in ordered for path, digest in result.done.items()},
        failed={path: reason for result in ordered for path, reason in result.failed.items()},
        missing=tuple(sorted(path for result in ordered for path in result.missing)),
    )
