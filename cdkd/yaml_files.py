"""Finds a YAML file by name: as the path given, in a folder of the working directory, or among those of cdkd."""

from importlib import resources
from pathlib import Path

from cdkd.config import ConfigError
from cdkd.suggestion import hint

STUDIES = Path("sweeps")
RECIPES = STUDIES / "recipes"
"""Folders below the working directory; what comes with cdkd lies in folders of the same names."""


def find_yaml(name: str, folder: Path, kind: str, beside: Path | None = None) -> Path:
    """The file that a name or path means; `.yaml` may be left out.

    A bare name of a recipe means none in the working directory, where a study may bear the same.

    Args:
        name: as it was given.
        folder: `STUDIES` or `RECIPES`.
        kind: what the file is called in the error, such as "study".
        beside: a file that names it: its folder comes first, and it never means itself.

    Raises:
        ConfigError: there is none; the text lists those that there are.
    """
    has_suffix = name.endswith((".yaml", ".yml"))
    names = [name] if has_suffix else [name, f"{name}.yaml"]
    places = [folder, *shipped_folders(folder)]
    is_bare = folder == RECIPES and not has_suffix and Path(name).name == name
    here = [] if is_bare else [*([] if beside is None else [beside.parent]), Path()]
    itself = None if beside is None else beside.resolve()
    for place in [*here, *places]:
        for candidate in names:
            if (place / candidate).is_file() and (place / candidate).resolve() != itself:
                return place / candidate
    files = [file for place in places for file in place.glob("*.yaml")]
    known = sorted({file.stem if folder == RECIPES and not has_suffix else file.name for file in files})
    plural = "studies" if kind == "study" else f"{kind}s"
    raise ConfigError(f"{name}: no such {kind} file, here or in ./{folder}; {hint(name, known, plural)}")


def shipped_folders(folder: Path) -> list[Path]:
    """Where those that come with cdkd lie; in a checkout that is the folder `sweeps` beside the package."""
    package = Path(str(resources.files("cdkd")))
    inner = folder.relative_to(STUDIES)
    places = (package / "sweep" / "studies" / inner, package.parent / folder)
    return [place for place in places if place.is_dir()][:1]
