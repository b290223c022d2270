"""What the tests of tracking share: an empty store whose tables exist."""

from pathlib import Path

import pytest
from support.sweeps import ready_store


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cdkd.tracking.store import open_client

    folder = tmp_path_factory.mktemp("store")
    open_client(f"sqlite:///{folder}/mlflow.db").search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def store(tmp_path: Path, store_template: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of the store; the working directory is its folder."""
    ready_store(store_template, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return "sqlite:///mlflow.db"
