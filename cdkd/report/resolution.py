"""How many seeds a study needs to find a difference, from the spread between seeds that it has seen so far."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cdkd.report.aggregate import TableRow
from cdkd.report.statistics import POWER, seeds_to_resolve


@dataclass(frozen=True)
class SeedAdvice:
    """What it takes to find a difference between rows of a study."""

    difference: float
    """Points of top-1 that are to be found."""
    deviation: float
    """Of paired differences between seeds in points, pooled over rows."""
    num_rows: int
    """That it was seen in."""
    num_tests: int
    """Rows that are compared with one baseline, the largest family of the study."""
    num_seeds: int | None
    """None: a thousand do not suffice."""


def seed_advice(rows: Sequence[TableRow], difference: float) -> SeedAdvice | None:
    """How many paired seeds find `difference` points; None where no row has two seeds in common with its baseline."""
    compared = [each for row in rows for each in row.differences.values()]
    known = [(each.deviation, each.num_pairs) for each in compared if each.deviation is not None]
    if not known:
        return None
    # Variances of few seeds each: pooled, weighted by their degrees of freedom.
    freedom = sum(pairs - 1 for _, pairs in known)
    deviation = math.sqrt(sum(spread**2 * (pairs - 1) for spread, pairs in known) / freedom)
    families = Counter((row.definition.block, name) for row in rows for name in row.definition.baselines)
    num_tests = max(families.values())
    found = seeds_to_resolve(difference, deviation, num_tests)
    return SeedAdvice(difference, deviation, len(known), num_tests, found)


def advice_text(advice: SeedAdvice) -> str:
    """The advice in two sentences."""
    needed = "more than 1,000 seeds" if advice.num_seeds is None else f"{advice.num_seeds} seeds"
    rows = f"{advice.num_tests} rows" if advice.num_tests > 1 else "one row"
    comparisons = f"{advice.num_rows} comparisons" if advice.num_rows > 1 else "one comparison"
    return (
        f"to find a difference of {advice.difference:g} points with {100 * POWER:.0f} % probability, tested among "
        f"{rows}: {needed}; differences deviate by {advice.deviation:.2g} points from seed to seed ({comparisons})"
    )
