"""One line of the runs' table as a typed record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cdkd.errors import CdkdError
from cdkd.metric_names import TEST_TOP1

if TYPE_CHECKING:
    import pandas as pd


class ReportError(CdkdError):
    """A table cannot be made; the text says of what, why, and what to do."""


REQUIRED_COLUMNS = ("run_id", "study", "cell", "seed", "status", "started", "commit")


@dataclass(frozen=True)
class Run:
    """One attempt at one cell."""

    run_id: str
    study: str
    cell: str
    """Identity of the configuration with its seed."""
    seed: int
    status: str
    """finished, diverged, pruned, failed, running or killed."""
    started: datetime
    code: str
    """Commit of the working directory, else the package's version."""
    dirty: bool
    """The working tree held changes that no commit has."""
    settings: Mapping[str, Any]
    """Every setting by its dotted key."""
    metrics: Mapping[str, float]
    """Accuracies in percent."""
    metadata: Mapping[str, str]
    """What the run found out: data set, its version, split, views, numbers of videos."""
    is_search: bool = False
    """A search suggested it: its settings were chosen by results, and it stands in no table of the paper."""
    stage: str = ""
    label: str = ""
    """Its place in its stage, as one text."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Axis -> label, in the study that trained it."""
    version: str = ""
    """Of cdkd."""

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return str(self.settings.get("data.name", "shapes"))

    @property
    def is_finished(self) -> bool:
        """The run ended with a test accuracy."""
        return self.status == "finished" and TEST_TOP1 in self.metrics

    @property
    def status_text(self) -> str:
        """The status, as a table names it."""
        return "no accuracy" if self.status == "finished" and not self.is_finished else self.status


def read_runs(frame: "pd.DataFrame") -> tuple[Run, ...]:
    """The table of runs, as `cdkd.tracking.runs.load_runs` gives it, line by line.

    Raises:
        ReportError: a column is missing.
    """
    missing = [name for name in REQUIRED_COLUMNS if name not in frame.columns]
    if missing and len(frame):
        raise ReportError(
            f"the table of runs lacks the columns {', '.join(missing)}: was it written by another version?"
        )
    return tuple(_run(row) for row in frame.to_dict(orient="records"))


def _run(row: Mapping[Any, Any]) -> Run:
    import pandas as pd

    present: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {"settings": {}, "metrics": {}, "metadata": {}, "labels": {}}
    for key, value in row.items():
        if not _is_missing(value):
            group, dot, name = str(key).partition(".")
            (groups.get(group, present) if dot else present)[name if dot else group] = value
    return Run(
        run_id=str(present["run_id"]),
        study=str(present.get("study", "")),
        cell=str(present.get("cell", "")),
        seed=int(present["seed"]),
        status=str(present["status"]),
        started=pd.to_datetime(present["started"], utc=True).to_pydatetime(),
        code=str(present.get("commit", ""))[:10] or f"version {present.get('version', 'unknown')}",
        dirty=str(present.get("dirty", False)).lower() == "true",
        settings=groups["settings"],
        is_search=str(present.get("is_search", False)).lower() == "true",
        metrics={key: float(value) for key, value in groups["metrics"].items()},
        metadata={key: str(value) for key, value in groups["metadata"].items()},
        stage=str(present.get("stage", "")),
        label=str(present.get("label", "")),
        labels={key: str(value) for key, value in groups["labels"].items()},
        version=str(present.get("version", "")),
    )


def _is_missing(value: Any) -> bool:
    import pandas as pd

    # Most of a hundred thousand values are of these kinds, which pandas takes a microsecond each to look at.
    return type(value) not in (str, bool, int) and bool(pd.api.types.is_scalar(value) and pd.isna(value))
