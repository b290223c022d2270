"""What is installed is what the tree holds: packages, studies, data files, the start-up time's imports."""

import configparser
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_setup_cfg_lists_every_package() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "cdkd").rglob("__init__.py")}
    assert listed == folders | {"cdkd.sweep.studies"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    # A copy: setuptools would take up what an earlier build left in `build`, and leave its own.
    source = folder / "source"
    source.mkdir()
    for name in ("cdkd", "sweeps"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("cdkd-*.whl")))


def test_a_wheel_carries_studies_published_figures_and_types(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    files = [path.relative_to(ROOT / "sweeps") for path in (ROOT / "sweeps").rglob("*.yaml")]
    studies = {f"cdkd/sweep/studies/{path.as_posix()}" for path in files}
    assert len(studies) >= 14
    assert studies | {"cdkd/py.typed", "cdkd/report/published.csv"} <= names
    assert not any(name.startswith("tests/") for name in names)


def test_an_installed_wheel_finds_its_studies_and_recipes_from_any_folder(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    wheel.extractall(tmp_path / "installed")
    (tmp_path / "elsewhere").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-m", "cdkd", "plan", "ablation-tdn", "--recipe", "shapes1"]
    done = subprocess.run(command, cwd=tmp_path / "elsewhere", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "5 cells: 5 waiting" in done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom cdkd.cli import group\n"
        f"group({arguments!r}, standalone_mode=False)\n"
        "print(sorted({'torch', 'mlflow', 'optuna', 'pandas', 'matplotlib', 'av'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
