"""What optuna-dashboard shows of a finished study, kept in a journal or in PostgreSQL."""

import io
import json
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from support.postgres import PostgresServer

pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed: pip install 'cdkd[dashboard]'")

from optuna_dashboard import wsgi
from optuna_dashboard._storage_url import get_storage

from cdkd.sweep.queue.postgres_connection import parse_address
from cdkd.sweep.queue.stage_cells import resolve_stages
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import TrialQueue
from cdkd.sweep.study.reading import load_study

STUDY = """
study: weights
seeds: [3, 4]
stages:
  - name: grid
    axes:
      distill.spatial.weight: [0.01, 0.1, 1]
      distill.temporal.weight: [0.1, 1.0, 5.0]
"""


def finished(folder: StudyFolder, file: Path) -> None:
    """Runs the study: lambda1 is worth ten times what lambda2 is."""
    file.write_text(STUDY)
    (known,) = resolve_stages(load_study(file), folder)
    queue = TrialQueue(folder)
    queue.enqueue(known.tasks())
    while (claim := queue.claim()) is not None:
        values, number = claim.trial.task.parameters.values, claim.trial.number
        reached = 50 + 10 * values["distill.spatial.weight"] + 0.2 * values["distill.temporal.weight"]
        for epoch in (1, 2):
            queue.report(number, epoch, reached - 5 / epoch)
        queue.complete(number, reached, run_id=f"run-{number}", status="finished")
        claim.lock.release()


@pytest.fixture(params=["journal", "postgres"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What is to be given to optuna-dashboard, as docs/explore.md has it."""
    folder = StudyFolder(tmp_path / ".cdkd/weights")
    if request.param == "journal":
        finished(folder, tmp_path / "study.yaml")
        return str(folder.journal)
    server: PostgresServer = request.getfixturevalue("postgres")
    address = server.address(server.new_database(), heartbeat=1, grace=20)
    folder.use_storage(address)
    finished(folder, tmp_path / "study.yaml")
    # Without what is cdkd's own of it.
    return parse_address(address)[0].render_as_string(hide_password=False)


def asked(application: Any, path: str) -> Any:
    """What the dashboard's page gets from its server."""
    environment: dict[str, Any] = {"PATH_INFO": path, "wsgi.input": io.BytesIO()}
    setup_testing_defaults(environment)
    status: list[str] = []
    body = b"".join(application(environment, lambda line, headers, *_: status.append(line)))
    assert status == ["200 OK"], body
    return json.loads(body)


def test_the_dashboard_shows_parameters_importances_and_curves(storage: str) -> None:
    application = wsgi(get_storage(storage))
    (study,) = asked(application, "/api/studies")["study_summaries"]
    assert study["study_name"] == "weights.grid"
    detail = asked(application, f"/api/studies/{study['study_id']}")
    assert len(detail["trials"]) == 18 and {trial["state"] for trial in detail["trials"]} == {"Complete"}
    names = {"distill.spatial.weight", "distill.temporal.weight"}
    assert {parameter["name"] for parameter in detail["trials"][0]["params"]} == names
    assert [point["step"] for point in detail["trials"][0]["intermediate_values"]] == [1, 2]
    (of_value,) = asked(application, f"/api/studies/{study['study_id']}/param_importances")["param_importances"]
    importances = {one["name"]: one["importance"] for one in of_value}
    # By an estimate of its own, which asks what sets the best tenth of the trials apart.
    assert importances["distill.spatial.weight"] > importances["distill.temporal.weight"] > 0


def test_optunas_plots_have_something_to_show(storage: str) -> None:
    plots = optuna.visualization.matplotlib
    study = optuna.load_study(study_name="weights.grid", storage=get_storage(storage))
    assert study.best_value == 61.0 and list(study.best_params.values()) == [1.0, 5.0]
    contour = plots.plot_contour(study, params=list(study.best_params))
    assert contour.collections and (contour.get_xlabel(), contour.get_xscale()) == ("distill.spatial.weight", "log")
    for axes in plots.plot_slice(study):
        assert len(axes.collections[0].get_offsets()) == 18
    assert len(plots.plot_parallel_coordinate(study).collections[0].get_segments()) == 18
    assert len(plots.plot_intermediate_values(study).lines) == 18
    assert len(plots.plot_optimization_history(study).collections[0].get_offsets()) == 18
