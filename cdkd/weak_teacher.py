"""When a teacher is too weak: it is no better on validation videos than its student without distillation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class UntaughtRow:
    """Runs of a teacher's student that learn from no teacher and differ in their seeds alone."""

    name: str
    has_decoder: bool
    accuracies: Sequence[float]
    """On validation videos, in percent; () where none is known."""


def weakness(reached: float, rows: Iterable[UntaughtRow]) -> str:
    """What is wrong with a teacher, to stand behind its name; empty where nothing is.

    It is compared with the plain student, three streams without decoder, in its mean over seeds; where that is not
    known, with whatever other row learns from no teacher, the first of them.

    Args:
        reached: by the teacher on validation videos, in percent.
        rows: of the student that learns from it.
    """
    known = [row for row in rows if row.accuracies]
    # Of equals `min` takes the first.
    baseline = min(known, key=lambda row: row.has_decoder, default=None)
    if baseline is None or reached > fmean(baseline.accuracies):
        return ""
    return (
        f"is no better on validation videos than its student without distillation ({reached:.1f} against "
        f"{fmean(baseline.accuracies):.1f} % of '{baseline.name}'): what learns from it shows noise"
    )
