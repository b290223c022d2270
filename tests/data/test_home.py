"""The cache folder."""

from pathlib import Path

import platformdirs
import pytest

from cdkd.data.home import cdkd_home


def test_the_environment_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "here"))
    assert cdkd_home() == tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CDKD_HOME", "~/there")
    assert cdkd_home() == tmp_path / "there"


def test_else_the_user_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDKD_HOME", "")
    assert cdkd_home() == Path(platformdirs.user_cache_dir("cdkd"))
