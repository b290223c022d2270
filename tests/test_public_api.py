"""`import cdkd` offers its names, and imports nothing for them before they are used."""

import importlib
import subprocess
import sys

import pytest

import cdkd


@pytest.mark.parametrize("name", sorted(set(cdkd.__all__) - {"__version__"}))
def test_every_name_leads_to_what_it_says(name: str) -> None:
    found = getattr(cdkd, name)
    assert found.__name__ == name
    assert found is getattr(importlib.import_module(found.__module__), name)
    assert name in dir(cdkd)


def test_a_name_that_is_not_offered() -> None:
    with pytest.raises(AttributeError, match="module 'cdkd' has no attribute 'VideoWriter'"):
        _ = cdkd.VideoWriter


@pytest.mark.parametrize(
    ("statement", "imported"),
    [
        ("import cdkd", set()),
        ("from cdkd import RunConfig", {"pydantic"}),
        ("from cdkd import VideoReader", {"av", "numpy"}),
        ("from cdkd import load_runs", set()),
    ],
)
def test_a_name_imports_what_it_needs_and_no_more(statement: str, imported: set[str]) -> None:
    heavy = ("torch", "mlflow", "optuna", "pandas", "av", "numpy", "matplotlib", "pydantic")
    code = f"{statement}\nimport sys\nprint(*[name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == imported
