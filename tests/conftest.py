"""What the tests of several rooms share: a tracking store whose tables exist, made once."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cdkd.tracking.store import open_client

    folder = tmp_path_factory.mktemp("store")
    open_client(f"sqlite:///{folder}/mlflow.db").search_experiments()
    return folder / "mlflow.db"
