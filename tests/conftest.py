"""What the tests of several rooms share, made once: a tracking store whose tables exist, a folder with a study."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cdkd.tracking.store import open_client

    folder = tmp_path_factory.mktemp("store")
    open_client(f"sqlite:///{folder}/mlflow.db").search_experiments()
    return folder / "mlflow.db"


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two rows of Table 4 were swept, with a student's checkpoint and a video."""
    from support.guides import make_runs

    return make_runs(tmp_path_factory.mktemp("runs"))
