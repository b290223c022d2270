"""What the store knows that a plan wants to know: which cells have a result, and how long epochs took."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from cdkd.metric_names import EPOCH_SECONDS, current_names
from cdkd.run_status import RunStatus, has_result
from cdkd.tracking import tags
from cdkd.tracking.runs import decode_setting
from cdkd.tracking.search import search_cells
from cdkd.tracking.store import database_file, open_client


@dataclass(frozen=True)
class EarlierRun:
    """A tracked run of a cell, of any study."""

    cell: str
    study: str
    has_result: bool
    settings: Mapping[str, Any]
    """By dotted key, as they were configured."""
    epoch_seconds: float | None
    """Training time of its last epoch, without validation."""


def earlier_runs(uri: str) -> list[EarlierRun]:
    """Every run of every study, oldest last; none where the store's file does not exist yet.

    Raises:
        TrackingError: the store cannot be used.
    """
    file = database_file(uri)
    if file is not None and not file.exists():
        return []
    found = []
    for run in search_cells(open_client(uri, must_exist=True), None):
        known = run.data.tags
        found.append(
            EarlierRun(
                known[tags.CELL],
                known[tags.STUDY],
                has_result(cast("RunStatus", known.get(tags.STATUS, "running"))),
                {key: decode_setting(value) for key, value in run.data.params.items()},
                current_names(run.data.metrics).get(EPOCH_SECONDS),
            )
        )
    return found
