"""A cell's configuration as its trial keeps it: what it shares with its stage's cells stands once with the stage.

A whole configuration is four kilobytes, of which the cells of a stage differ in a few settings. Kept with the trials,
it reaches workers in other folders and on other machines.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cdkd.config import ConfigError, build_record, merge_dotted
from cdkd.errors import CdkdError
from cdkd.settings import RunConfig, flat_settings
from cdkd.sweep.study.cell import Cell

_ABSENT = object()


@dataclass(frozen=True)
class Configuration:
    """Settings of a run by dotted key, in two parts."""

    shared: Mapping[str, Any] = field(default_factory=dict)
    """Of all cells of the stage that were planned together."""
    own: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    """`shared_name` of the shared ones, where it is known already."""

    @cached_property
    def reference(self) -> dict[str, Any]:
        """What a trial keeps: its own settings, and the name under which its stage keeps the shared ones."""
        return {"shared": self.name or shared_name(self.shared), "own": dict(self.own)}

    def build(self) -> RunConfig:
        """The configuration.

        Raises:
            CdkdError: it holds settings that this version does not know.
        """
        try:
            return build_record(RunConfig, merge_dotted({}, {**self.shared, **self.own}))
        except ConfigError as error:
            raise CdkdError(f"a cell was planned by another version of cdkd ({error}); run the sweep again") from error


def shared_name(shared: Mapping[str, Any]) -> str:
    """Under which a stage keeps settings that cells share: equal exactly when they are."""
    return "settings-" + hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:12]


def configurations_of(cells: Sequence[Cell]) -> list[Configuration]:
    """The configurations of a stage's cells."""
    first = flat_settings(cells[0].config)
    # Differences alone are kept on the way: ten thousand whole configurations are a gigabyte.
    differences = _differences(cells, first)
    varied = {key for difference in differences for key in difference}
    shared = {key: value for key, value in first.items() if key not in varied}
    name = shared_name(shared)
    owns = ({key: own.get(key, first.get(key, _ABSENT)) for key in varied} for own in differences)
    return [Configuration(shared, {k: v for k, v in own.items() if v is not _ABSENT}, name) for own in owns]


def _differences(cells: Sequence[Cell], first: Mapping[str, Any]) -> list[dict[str, Any]]:
    """In what each cell differs from the first; `_ABSENT` stands for a setting that it has not."""
    by_row: dict[str, dict[str, Any]] = {}
    differences = []
    for cell in cells:
        difference = by_row.get(cell.row) if cell.row is not None else None
        if difference is None:
            settings = flat_settings(cell.config)
            difference = {key: value for key, value in settings.items() if first.get(key, _ABSENT) != value}
            difference |= {key: _ABSENT for key in first if key not in settings}
            if cell.row is not None:
                by_row[cell.row] = difference
        # The cells of a row have the same settings but for the seed.
        differences.append({**difference, "seed": cell.seed})
    return differences
