"""Links open a study's table of runs in MLflow's pages, with columns that the store itself keeps."""

import json
from pathlib import Path

import pytest
from support.sweeps import ready_store

from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.store import open_client
from cdkd.tracking.study_record import StageRecord
from cdkd.tracking.view import study_links


@pytest.fixture
def uri(tmp_path: Path, store_template: Path) -> str:
    ready_store(store_template, tmp_path)
    return f"sqlite:///{tmp_path}/mlflow.db"


def test_a_study_is_shown_as_trainings_with_its_accuracies(uri: str, tmp_path: Path) -> None:
    tracker = MlflowTracker(uri, "mine", tmp_path)
    tracker.prepare(["rows"])
    tracker.describe("rows", StageRecord("What it asks.", "cdkd sweep mine.yaml", "study: mine\n"))
    experiment = open_client(uri).get_experiment_by_name("mine")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert experiment.tags["mlflow.note.content"] == "What it asks."
    view = json.loads(experiment.tags["mlflow.sharedViewState.cdkd"])
    assert view["selectedColumns"][:2] == ["metrics.`validation/top1`", "metrics.`test/top1`"]
    # Never by test.
    assert (view["orderByKey"], view["orderByAsc"]) == ("metrics.`validation/top1`", False)
    query = "workflowType=machine_learning&viewStateShareKey=cdkd"
    number = experiment.experiment_id
    assert study_links(uri) == {"mine": f"http://127.0.0.1:5000/#/experiments/{number}/runs?{query}"}
    assert study_links(uri, "http://here:1")["mine"].startswith(f"http://here:1/#/experiments/{number}/runs?")


def test_studies_of_earlier_versions_get_their_view_and_the_last_at_work_comes_first(uri: str) -> None:
    client = open_client(uri)
    old = client.create_experiment("old", tags={"cdkd.study": "old"})
    client.create_experiment("other program's")
    client.create_experiment("new", tags={"cdkd.study": "new"})
    client.set_experiment_tag(old, "touched", "last")
    assert set(study_links(uri)) == {"old", "new"}
    assert "mlflow.sharedViewState.cdkd" in client.get_experiment(old).tags
    assert "mlflow.sharedViewState.cdkd" not in client.get_experiment_by_name("other program's").tags
