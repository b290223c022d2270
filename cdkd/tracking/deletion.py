"""Runs of a study are marked as deleted: MLflow hides them at once, and removes them for good only when told to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdkd.tracking import tags
from cdkd.tracking.search import search_cells, search_runs
from cdkd.tracking.store import open_client

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(frozen=True)
class DeletableRun:
    """A run that a study has, its own or another's."""

    run_id: str
    study: str
    """That trained it."""
    adopted_by: tuple[str, ...]
    """Further studies in whose tables it stands."""


def find_runs(uri: str, study: str, cells: Sequence[str] = ()) -> list[DeletableRun]:
    """The runs of a study's cells; of some of them; without any named, its teachers' and stages' too.

    Raises:
        TrackingError: there is no such store.
    """
    client = open_client(uri, must_exist=True)
    found = [_deletable(run) for run in search_cells(client, study) if not cells or run.data.tags[tags.CELL] in cells]
    experiment = client.get_experiment_by_name(study)
    if not cells and experiment is not None:
        for role in ("teacher", "stage"):
            found += [_deletable(run) for run in search_runs(client, [experiment.experiment_id], role)]
    return found


def delete_runs(uri: str, study: str, runs: Sequence[DeletableRun]) -> None:
    """Marks a study's own runs as deleted; another study's are no longer this one's, and stay."""
    client = open_client(uri, must_exist=True)
    for run in runs:
        if run.study == study:
            client.delete_run(run.run_id)
        else:
            client.delete_tag(run.run_id, tags.ADOPTED + study)


def _deletable(run: "Run") -> DeletableRun:
    found = run.data.tags
    adopted = sorted(key.removeprefix(tags.ADOPTED) for key in found if key.startswith(tags.ADOPTED))
    return DeletableRun(run.info.run_id, found[tags.STUDY], tuple(adopted))
