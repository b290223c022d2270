"""Finds a study file: as the path given, in ./sweeps, or among the studies that come with cdkd."""

from importlib import resources
from pathlib import Path

from cdkd.config import ConfigError
from cdkd.suggestion import hint

LOCAL = Path("sweeps")


def find_study(name: str, beside: Path | None = None) -> Path:
    """The file that a study's name or path means; `.yaml` may be left out.

    Args:
        name: the name or path.
        beside: a study file that names it: its folder comes first, and it never means itself.

    Raises:
        ConfigError: there is none; the text lists those that there are.
    """
    names = [name] if name.endswith((".yaml", ".yml")) else [name, f"{name}.yaml"]
    itself = None if beside is None else beside.resolve()
    for folder in (*([] if beside is None else [beside.parent]), Path(), LOCAL, *shipped_folders()):
        for candidate in names:
            if (folder / candidate).is_file() and (folder / candidate).resolve() != itself:
                return folder / candidate
    known = sorted({file.name for folder in (LOCAL, *shipped_folders()) for file in folder.glob("*.yaml")})
    raise ConfigError(f"{name}: no such study file, here or in ./sweeps; {hint(name, known, 'studies')}")


def shipped_folders() -> list[Path]:
    """Where the studies that come with cdkd lie; in a checkout that is the folder `sweeps` beside the package."""
    package = Path(str(resources.files("cdkd.sweep")))
    folders = (package / "studies", package.parent.parent / "sweeps")
    return [folder for folder in folders if folder.is_dir()][:1]
