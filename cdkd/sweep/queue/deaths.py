"""How many deaths of worker processes a task is granted before it counts as failed: an endless loop helps nobody.

explained    the process was asked to stop, by a user, a scheduler or its sweep        never counts
start-up     it died before the training's first step: another process's doing,        counts apart, and for more
             mostly, such as a scheduler's or of too little memory for all of them
otherwise    counts, until an attempt begins farther on than the one before it:
             a training that comes from checkpoint to checkpoint will end
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_DEATHS = 3
MAX_START_UP_DEATHS = 10


@dataclass(frozen=True)
class Death:
    """One that nothing explains."""

    began: float | None
    """Share of the training that was done when the attempt began; None where it died before its first step."""


def read_death(progress: Path) -> Death:
    """What the progress file of a dead attempt says."""
    try:
        began = json.loads(progress.read_text(encoding="utf-8")).get("began")
    except (OSError, ValueError):
        began = None
    return Death(None if began is None else float(began))


def verdict(deaths: Sequence[Death]) -> str | None:
    """Why a task has failed after these deaths, oldest first; None while it is to be tried again."""
    farthest, num_here, num_at_start = -1.0, 0, 0
    for death in deaths:
        if death.began is None:
            num_at_start += 1
            continue
        num_at_start = 0
        num_here = 1 if death.began > farthest else num_here + 1
        farthest = max(farthest, death.began)
    if num_here >= MAX_DEATHS:
        return f"{num_here} worker processes died over it (out of memory?)"
    if num_at_start >= MAX_START_UP_DEATHS:
        return f"{num_at_start} worker processes died before its first step (out of memory?)"
    return None
