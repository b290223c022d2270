"""What the tests of sweeps share: a folder to sweep in."""

from pathlib import Path

import pytest
from support.sweeps import Bench, ready_store


@pytest.fixture
def bench(tmp_path: Path, store_template: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    ready_store(store_template, tmp_path)
    (tmp_path / "fake").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAKE_EXPERIMENT", str(tmp_path / "fake"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Bench(tmp_path)
