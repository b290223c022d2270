"""The raw-domain rows: what teachers reach on the students' test, as the students' runs tell it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any

from cdkd.effective_settings import active_losses
from cdkd.metric_names import VALIDATION_TOP1
from cdkd.report.protocol import (
    ComparableRuns,
    Variant,
    has_own_videos,
    is_shared_by_blocks,
    protocol_of,
    shared_metadata,
)
from cdkd.report.tracked import Run
from cdkd.weak_teacher import UntaughtRow, weakness

_Kind = frozenset[tuple[str, str]]
"""The settings of a teacher without its seed."""
_TOP1, _TOP5 = "teacher_test_top1", "teacher_test_top5"
_VALIDATION = "teacher_validation_top1"


@dataclass(frozen=True)
class TaughtBy:
    """One teacher, as the youngest run that used it tells."""

    draw: int
    """Seed of the videos that it was trained on; 0 where all runs share them."""
    seed: int
    """Its own."""
    run: Run

    @property
    def top1(self) -> float:
        """Test accuracy in percent."""
        return float(self.run.metadata[_TOP1])

    @property
    def top5(self) -> float:
        """Test accuracy in percent."""
        return float(self.run.metadata[_TOP5])


def teachers_of(arch: str, runs: Sequence[Run], comparable: ComparableRuns) -> tuple[TaughtBy, ...]:
    """The teachers of one architecture, one per seed: equal in all other settings, tested as the shown rows are.

    Of several kinds the one that a shown row learnt from, then the one with most seeds, then the youngest.

    Args:
        arch: the teachers' architecture.
        runs: of the table's data set, those too for which the table has no row.
        comparable: the shown rows.
    """
    shown = [variant for variant in comparable.chosen.values() if variant.finished]
    common = {key: value for variant in shown for key, value in variant.protocol.items()}
    learnt_from = {_kind(run) for variant in shown for run in variant.finished if _TOP1 in run.metadata}
    kinds: dict[_Kind, dict[tuple[int, int], Run]] = defaultdict(dict)
    for run in sorted(runs, key=lambda run: run.started):
        tells = run.is_finished and _TOP1 in run.metadata and _arch(run) == arch
        if tells and shown and not _is_tested_otherwise(run, common):
            kinds[_kind(run)][_seed(run)] = run
    if not kinds:
        return ()

    def rank(kind: _Kind) -> tuple[bool, int, datetime]:
        return kind in learnt_from, len(kinds[kind]), max(run.started for run in kinds[kind].values())

    best = kinds[max(kinds, key=rank)]
    return tuple(TaughtBy(*key, best[key]) for key in sorted(best))


def teachers_of_block(block: str, comparable: ComparableRuns) -> tuple[TaughtBy, ...]:
    """The teachers that the shown rows of a block have learnt from, one per seed; () where no run knows them."""
    own = [variant for variant in comparable.chosen.values() if variant.row.block == block]
    return one_per_teacher_seed(run for variant in own for run in variant.finished)


def one_per_teacher_seed(runs: Iterable[Run]) -> tuple[TaughtBy, ...]:
    """The teachers of these runs, one per seed of theirs; () where no run knows what its teacher reaches."""
    known = sorted((run for run in runs if _TOP1 in run.metadata), key=lambda run: run.started)
    by_seed = {_seed(run): run for run in known}
    return tuple(TaughtBy(*key, by_seed[key]) for key in sorted(by_seed))


def weak_teachers(comparable: ComparableRuns) -> list[str]:
    """Warnings of the teachers of shown rows that are too weak, by `cdkd.weak_teacher`."""
    warnings = []
    for block in dict.fromkeys(variant.row.block for variant in comparable.chosen.values()):
        own = [variant for variant in comparable.chosen.values() if variant.row.block == block and variant.finished]
        untaught = [_untaught(variant) for variant in own if not variant.row.losses]
        told: dict[_Kind, list[Run]] = defaultdict(list)
        for run in (run for variant in own for run in variant.finished):
            if _VALIDATION in run.metadata and active_losses(run.settings):
                told[_kind(run)].append(run)
        for runs in told.values():
            which = "teacher" if len(told) == 1 else f"teacher {_arch(runs[0]).upper()}"
            if found := weakness(fmean(float(run.metadata[_VALIDATION]) for run in runs), untaught):
                warnings.append(f"Warning: the {block.upper()} rows' {which} {found}.")
    return warnings


def _untaught(variant: Variant) -> UntaughtRow:
    accuracies = [run.metrics[VALIDATION_TOP1] for run in variant.finished if VALIDATION_TOP1 in run.metrics]
    has_decoder = bool(variant.finished[0].settings.get("student.decoder", True))
    return UntaughtRow(variant.row.name, has_decoder, accuracies)


def _seed(run: Run) -> tuple[int, int]:
    """(draw, seed) of its teacher; see `TaughtBy`."""
    return run.seed if has_own_videos(run.settings) else 0, int(run.settings.get("teacher.seed", 0))


def _arch(run: Run) -> str:
    return str(run.settings.get("teacher.arch", "tsm"))


def _kind(run: Run) -> _Kind:
    own = run.settings.items()
    return frozenset((key, str(value)) for key, value in own if key.startswith("teacher.") and key != "teacher.seed")


def _is_tested_otherwise(run: Run, common: Mapping[str, Any]) -> bool:
    own = protocol_of(run.settings, frozenset()) | shared_metadata(run)
    return any(key in common and common[key] != value for key, value in own.items() if is_shared_by_blocks(key))
