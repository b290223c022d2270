"""Where a study's runs are shown in MLflow's pages: a link that opens their table, with columns of what counts."""

import contextlib
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cdkd.metric_names import EPOCH_SECONDS, TEACHER_TEST_TOP1, TEST_TOP1, VALIDATION_TOP1
from cdkd.tracking import store, tags
from cdkd.tracking.search import all_pages
from cdkd.tracking.store import open_client, shown

if TYPE_CHECKING:
    from mlflow.entities import Experiment

DEFAULT_VIEW = "http://127.0.0.1:5000"
"""Where MLflow's pages are while `cdkd ui`, or `mlflow ui`, shows a store that no server serves."""
_KEY = "cdkd"
_VIEW_TAG = f"mlflow.sharedViewState.{_KEY}"
"""Where MLflow keeps a view that somebody shares, and looks for it when a link names its key."""
_VIEW = {
    "searchFilter": "",
    # By validation: what is looked at first must not be what the test favours.
    "orderByKey": f"metrics.`{VALIDATION_TOP1}`",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "modelVersionFilter": "All Runs",
    "datasetsFilter": [],
    "selectedColumns": [
        *(f"metrics.`{name}`" for name in (VALIDATION_TOP1, TEST_TOP1, TEACHER_TEST_TOP1, EPOCH_SECONDS)),
        "attributes.`Duration`",
    ],
    "runsExpanded": {},
    "runsPinned": [],
    "runsHidden": [],
}


def view_tags() -> dict[str, str]:
    """Tags of an experiment whose pages open on trainings, not on traces of language models, and know our view."""
    return {"mlflow.experimentKind": "custom_model_development", _VIEW_TAG: json.dumps(_VIEW)}


def view_address(uri: str) -> str:
    """Where MLflow's pages show a store: at its server, else where they are once somebody has started them."""
    return shown(uri).rstrip("/") if is_served(uri) else DEFAULT_VIEW


def is_served(uri: str) -> bool:
    """A server is at the store's address, and shows pages there."""
    return urlsplit(uri).scheme in ("http", "https")


def study_links(tracking_uri: str | None = None, view: str | None = None) -> dict[str, str]:
    """The link to each study's table of runs, by study, the one that was last at work first.

    Studies of earlier versions get what their pages lack, where the store can be written.

    Args:
        tracking_uri: the store; None: `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.
        view: address of MLflow's pages; None: where they are by themselves (`view_address`).

    Raises:
        TrackingError: there is no such store.
    """
    from mlflow.exceptions import MlflowException

    uri = tracking_uri or store.tracking_uri()
    client = open_client(uri, must_exist=True)
    found = [each for each in all_pages(client.search_experiments) if tags.STUDY in each.tags]
    found.sort(key=lambda each: each.last_update_time or 0, reverse=True)
    links = {}
    for experiment in found:
        with contextlib.suppress(MlflowException):
            for key, value in view_tags().items():
                if experiment.tags.get(key) != value:
                    client.set_experiment_tag(experiment.experiment_id, key, value)
        links[experiment.tags[tags.STUDY]] = _link(experiment, view or view_address(uri))
    return links


def _link(experiment: "Experiment", view: str) -> str:
    return (
        f"{view}/#/experiments/{experiment.experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={_KEY}"
    )
