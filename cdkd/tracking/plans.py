"""Which cells a study was last asked for, as its stages' parent runs keep it."""

import csv
import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cdkd.tracking import store, tags
from cdkd.tracking.search import all_pages, search_runs
from cdkd.tracking.store import TrackingError, open_client

CELLS_FILE = "cells.csv"
"""With a stage's parent run: its cells, written when the stage is closed (`cdkd.sweep.workers.stage_record`)."""
_COLUMNS = ("seed", "cell", "status", "run_id")
"""The last ones of that file; those before them are the stage's axes."""


@dataclass(frozen=True)
class PlannedCell:
    """A cell of a study, whatever became of it."""

    stage: str
    labels: Mapping[str, str]
    """Axis -> label, in the study's order; without the axes that do not apply to the cell."""
    seed: int
    cell: str
    """Its identity."""


def load_plan(study: str, tracking_uri: str | None = None) -> tuple[PlannedCell, ...]:
    """The cells of a study's stages, as its last sweep that came to an end was asked for them; () where none did.

    Raises:
        TrackingError: there is no such store, or what it keeps cannot be read.
    """
    from mlflow.exceptions import MlflowException

    uri = tracking_uri or store.tracking_uri()
    client = open_client(uri, must_exist=True)
    found = all_pages(client.search_experiments)
    experiments = [each.experiment_id for each in found if each.tags.get(tags.STUDY) == study]
    planned: list[PlannedCell] = []
    try:
        parents = sorted(search_runs(client, experiments, "stage"), key=lambda run: run.info.start_time)
        with tempfile.TemporaryDirectory() as folder:
            for parent in parents if experiments else ():
                if any(entry.path == CELLS_FILE for entry in client.list_artifacts(parent.info.run_id)):
                    path = Path(client.download_artifacts(parent.info.run_id, CELLS_FILE, folder))
                    planned += read_cells(parent.data.tags[tags.STAGE], path.read_text(encoding="utf-8"))
    except (MlflowException, OSError) as error:
        raise TrackingError(f"the plan of study '{study}' cannot be read from {uri}: {error}") from error
    return tuple(planned)


def read_cells(stage: str, text: str) -> list[PlannedCell]:
    """The cells that a stage's CSV file lists."""
    reader = csv.reader(text.splitlines())
    axes = next(reader)[: -len(_COLUMNS)]
    cells = []
    for line in reader:
        labels = {axis: label for axis, label in zip(axes, line, strict=False) if label}
        seed, cell = line[len(axes) : len(axes) + 2]
        cells.append(PlannedCell(stage, labels, int(seed), cell))
    return cells


def merged_cells(first: str, second: str) -> str:
    """A stage's CSV file with the cells of two: the first's as they stand, then what the second has beyond them."""
    ours, theirs = (list(csv.reader(text.splitlines())) for text in (first, second))
    if not ours:
        return second
    # Axis by axis, since two sweeps of a stage may have been asked for different ones.
    axes = list(dict.fromkeys(axis for lines in (ours, theirs) for axis in lines[0][: -len(_COLUMNS)]))
    columns = [*axes, *_COLUMNS]
    records = [dict(zip(lines[0], line, strict=False)) for lines in (ours, theirs) for line in lines[1:]]
    by_cell: dict[str, dict[str, str]] = {}
    for record in records:
        by_cell.setdefault(record["cell"], record)
    if len(by_cell) == len(ours) - 1:
        return first
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([record.get(column, "") for column in columns] for record in by_cell.values())
    return text.getvalue()
