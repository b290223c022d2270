"""What the tests of tracking share: an empty store whose tables exist."""

from pathlib import Path

import pytest
from support.sweeps import ready_store


@pytest.fixture
def store(tmp_path: Path, store_template: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of the store; the working directory is its folder."""
    ready_store(store_template, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return "sqlite:///mlflow.db"
