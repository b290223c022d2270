"""Finds a study file: as the path given, in ./sweeps, or among the studies that come with cdkd."""

from pathlib import Path

from cdkd.yaml_files import STUDIES, find_yaml


def find_study(name: str, beside: Path | None = None) -> Path:
    """The file that a study's name or path means; `.yaml` may be left out.

    Args:
        name: the name or path.
        beside: a study file that names it: its folder comes first, and it never means itself.

    Raises:
        ConfigError: there is none; the text lists those that there are.
    """
    return find_yaml(name, STUDIES, "study", beside)
