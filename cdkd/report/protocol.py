"""Which runs may stand in one table: those that agree on all but the table's own axes and the seed."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cdkd.effective_settings import effective_settings
from cdkd.metric_names import VALIDATION_TOP1
from cdkd.report.table_definition import RowDefinition, TableDefinition
from cdkd.report.tracked import Run

# What the runs found out and every row must share; the other metadata describe a run without changing it.
_SHARED_METADATA = ("dataset_version", "dataset_hash", "split", "views", "num_test_videos")
# Between two networks (blocks) only the data and the test-time protocol must agree; their recipes may differ, and what
# training makes of a clip is part of these.
_SHARED_BY_BLOCKS = ("data.", "evaluation.", "metadata.")
_AUGMENTATION = ("data.crop_scale", "data.flip")
# What follows from a run's seed where each seed has videos of its own.
_DRAWN_SETTINGS = ("data.shapes.seed",)
_DRAWN_METADATA = ("dataset_version", "dataset_hash")


@dataclass(frozen=True)
class Variant:
    """The runs of one row under one protocol: they differ in the seed only."""

    row: RowDefinition
    protocol: Mapping[str, Any]
    """Settings and metadata that rows standing beside it must share."""
    free: Mapping[str, float]
    """Weights in which such rows may differ (`TableDefinition.free_settings`)."""
    runs: tuple[Run, ...]
    """One per seed, by seed: the latest finished attempt, else the latest."""

    @property
    def finished(self) -> tuple[Run, ...]:
        """The runs with an accuracy."""
        return tuple(run for run in self.runs if run.is_finished)

    @property
    def latest(self) -> datetime:
        """Start of the youngest run."""
        return max(run.started for run in self.runs)

    @property
    def validation(self) -> float:
        """Mean accuracy on validation videos; minus infinity where none is known."""
        values = [run.metrics[VALIDATION_TOP1] for run in self.finished if VALIDATION_TOP1 in run.metrics]
        return sum(values) / len(values) if values else -math.inf


@dataclass(frozen=True)
class ComparableRuns:
    """The protocol that a table shows, and what it leaves out."""

    chosen: Mapping[str, Variant]
    """By key of the row."""
    left_out: tuple[Variant, ...]


def is_shared_by_blocks(key: str) -> bool:
    """Whether two networks of one table must agree on a setting, or on something that their runs found out."""
    return key.startswith(_SHARED_BY_BLOCKS) and key not in _AUGMENTATION


def has_own_videos(settings: Mapping[str, Any]) -> bool:
    """Whether runs with these settings and other seeds see other videos (`data.shapes.draw`)."""
    return settings.get("data.name") == "shapes" and settings.get("data.shapes.draw") == "by_seed"


def protocol_of(settings: Mapping[str, Any], own_settings: frozenset[str]) -> dict[str, Any]:
    """The settings that can change a run's result, without the table's own axes and the seed.

    Lists become tuples.
    """
    drawn = _DRAWN_SETTINGS if has_own_videos(settings) else ()
    return {
        # So that the items can be members of sets, by which protocols are compared.
        key: tuple(value) if isinstance(value, list) else value
        for key, value in effective_settings(settings).items()
        if key not in own_settings and key != "seed" and key not in drawn
    }


def shared_metadata(run: Run) -> dict[str, str]:
    """What a run found out and shares with every row of its table, by dotted key."""
    drawn = _DRAWN_METADATA if has_own_videos(run.settings) else ()
    names = [name for name in _SHARED_METADATA if name in run.metadata and name not in drawn]
    return {f"metadata.{name}": run.metadata[name] for name in names}


def variants_of(table: TableDefinition, runs: Iterable[Run]) -> list[Variant]:
    """Runs grouped by row and settings; an unfinished run, which has no metadata, joins all of its settings."""
    groups: dict[tuple[str, frozenset[Any]], dict[frozenset[Any], list[Run]]] = defaultdict(lambda: defaultdict(list))
    rows: dict[str, RowDefinition] = {}
    own, free_names = table.own_settings, table.free_settings
    for run in runs:
        row = table.row_of(run.settings)
        if row is None:
            continue
        rows[row.key] = row
        # 1. Runs by row, by settings, by what they found out of their data.
        settings = frozenset(protocol_of(run.settings, own).items())
        metadata = frozenset(shared_metadata(run).items())
        groups[row.key, settings][metadata].append(run)
    variants = []
    # 2. Each of these groups is a variant. Runs without metadata ended too early to find it out: what their data would
    # have been cannot be told, so they stand with every variant of their settings.
    for (key, settings), by_metadata in groups.items():
        shared = {name: value for name, value in settings if name not in free_names}
        free = {name: value for name, value in settings if name in free_names}
        without_metadata = by_metadata.pop(frozenset(), [])
        for metadata, members in (by_metadata or {frozenset(): []}).items():
            seeds = one_per_seed([*members, *without_metadata])
            variants.append(Variant(rows[key], shared | dict(metadata), free, seeds))
    return variants


def one_per_seed(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Of several attempts at a seed one, by seed: the latest that finished, else the latest."""
    best: dict[int, Run] = {}
    # Later ones replace earlier ones: finished before unfinished, then the younger.
    for run in sorted(runs, key=lambda run: (run.is_finished, run.started)):
        best[run.seed] = run
    return tuple(best[seed] for seed in sorted(best))


def disagreements(one: Variant, other: Variant) -> list[str]:
    """Keys on which two rows of a table differ but must not; a row without teacher has nothing to disagree on there."""
    return sorted(_conflicts(*_kinds([one, other])))


@dataclass(frozen=True)
class _Kind:
    """All of a variant that decides what it may stand beside."""

    block: str
    settings: frozenset[tuple[str, Any]]


def _kinds(variants: Sequence[Variant]) -> list[_Kind]:
    """The kind of each variant, reduced to the settings that differ at all: a handful of some eighty."""
    # How many different values each key has. A key with one value can cause no conflict, and is not compared.
    values = Counter(key for key, _ in {item for variant in variants for item in variant.protocol.items()})
    return [
        _Kind(variant.row.block, frozenset(item for item in variant.protocol.items() if values[item[0]] > 1))
        for variant in variants
    ]


def _conflicts(one: _Kind, other: _Kind) -> set[str]:
    # On both sides: a key that one of them lacks, such as a teacher's, is no disagreement.
    keys = {key for key, _ in one.settings - other.settings} & {key for key, _ in other.settings - one.settings}
    return keys if one.block == other.block else {key for key in keys if is_shared_by_blocks(key)}


def select(variants: Sequence[Variant], cells: Collection[str] = ()) -> ComparableRuns:
    """Picks the largest set of mutually comparable rows.

    Most rows with runs of `cells`, which a sweep has just asked for; then most rows, then most runs; between equals
    the higher mean on validation videos (never on test), then the smaller weights where rows have their own, then the
    youngest.
    """
    # The exact answer is a largest clique, which takes exponential time. So from each kind of variant a group is grown
    # greedily, best variants first, and the best group counts:
    #
    #    1  every two kinds that may stand together
    #    2  a start; then, in the order of rank, whatever agrees with all that is in the group and whose row is free
    #    3  the group of the highest rank
    order = sorted(variants, key=lambda variant: _rank([variant], cells), reverse=True)
    kinds = _kinds(order)
    comparable = {one: {other for other in set(kinds) if not _conflicts(one, other)} for one in set(kinds)}
    best: list[Variant] = []
    # Variants of one kind lead to the same group, so each kind's first starts one.
    for start, first in {kind: variant for variant, kind in zip(reversed(order), reversed(kinds), strict=True)}.items():
        group, allowed = {first.row.key: first}, comparable[start]
        for variant, kind in zip(order, kinds, strict=True):
            if variant.row.key not in group and kind in allowed:
                group[variant.row.key] = variant
                # What agreed with all before and with this one as well.
                allowed = allowed & comparable[kind]
        if not best or _rank([*group.values()], cells) > _rank(best, cells):
            best = [*group.values()]
    return ComparableRuns(
        chosen={variant.row.key: variant for variant in best},
        left_out=tuple(variant for variant in variants if all(variant is not one for one in best)),
    )


def _rank(group: Sequence[Variant], cells: Collection[str]) -> tuple[int, int, int, float, float, datetime]:
    finished = [variant for variant in group if variant.finished]
    return (
        sum(any(run.cell in cells for run in variant.runs) for variant in group),
        len(finished),
        sum(len(variant.finished) for variant in finished),
        sum(variant.validation for variant in finished) / max(1, len(finished)),
        -sum(weight for variant in group for weight in variant.free.values()),
        max(variant.latest for variant in group),
    )
