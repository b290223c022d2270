"""A study's store is the one that its folder names, in whatever folder a worker is started."""

from pathlib import Path

import pytest

from cdkd.errors import CdkdError
from cdkd.sweep.queue.store_record import read_store_record, write_store_record
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.workers.cell_runner import load_runner
from cdkd.tracking.store import absolute_uri

RUNNER = "cdkd.experiment:RUNNER"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    monkeypatch.chdir(tmp_path)
    load_runner(RUNNER)
    write_store_record(StudyFolder(tmp_path / "study"), "sqlite:///mlflow.db", RUNNER)
    return StudyFolder(tmp_path / "study")


def test_the_same_store_is_found_from_everywhere(
    folder: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = f"sqlite:///{tmp_path}/mlflow.db"
    assert read_store_record(folder, "sqlite:///mlflow.db", RUNNER).tracking_uri == here
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    record = read_store_record(folder)
    assert (record.tracking_uri, record.runner) == (here, RUNNER)
    assert (Path(record.import_folder) / "cdkd/experiment/__init__.py").exists()
    with pytest.raises(CdkdError, match=rf"tracks in {here}, not in sqlite:///{tmp_path}/other/mlflow.db: leave out"):
        read_store_record(folder, "sqlite:///mlflow.db")
    with pytest.raises(CdkdError, match=r"its cells are trained by cdkd\.experiment:RUNNER, not by other:RUNNER"):
        read_store_record(folder, None, "other:RUNNER")


def test_another_store_is_refused_only_while_others_use_the_first(folder: StudyFolder) -> None:
    with pytest.raises(CdkdError, match="not in http://elsewhere:5000"):
        write_store_record(folder, "http://elsewhere:5000", RUNNER, is_busy=True)
    write_store_record(folder, "http://elsewhere:5000", RUNNER)
    assert read_store_record(folder).tracking_uri == "http://elsewhere:5000"


def test_a_folder_that_no_sweep_has_seen(tmp_path: Path) -> None:
    with pytest.raises(CdkdError, match="no sweep of this version has run here; start with cdkd sweep"):
        read_store_record(StudyFolder(tmp_path))


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_uri("sqlite:///a/b.db") == f"sqlite:///{tmp_path}/a/b.db"
    assert absolute_uri("sqlite:////a/b.db") == "sqlite:////a/b.db"
    assert absolute_uri("http://host:5000") == "http://host:5000"
    assert absolute_uri("mlruns") == f"{tmp_path}/mlruns"
