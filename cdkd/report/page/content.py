"""What a page shows, as data: studies with their tables, tables of the paper, figures, where all of it comes from."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cdkd.report.assemble import Report
from cdkd.report.figures.catalog import FIGURES
from cdkd.report.figures.definition import Evidence
from cdkd.report.figures.style import Drawing
from cdkd.report.summary import Summary, summaries_of
from cdkd.report.tracked import Run
from cdkd.tracking.study_record import StudyRecord


@dataclass(frozen=True)
class StudyPart:
    """One study."""

    record: StudyRecord
    report: Report
    """The table of its own rows."""
    runs: Sequence[Run]
    """All of its runs, whatever became of them, oldest first."""

    @property
    def summaries(self) -> Sequence[Summary]:
        """The answer in short, stage by stage."""
        return summaries_of(self.report)

    @property
    def provenance(self) -> Mapping[str, str]:
        """Where its figures come from: what -> all of its values, with numbers of runs where there are several."""
        found = {name: _counted(map(tell, self.runs)) for name, tell in _PROVENANCE.items()}
        return {name: text for name, text in found.items() if text}


def _metadata(*names: str) -> Callable[[Run], str]:
    return lambda run: next((run.metadata[name] for name in names if name in run.metadata), "")


def _code(run: Run) -> str:
    return run.code + (" with uncommitted changes" if run.dirty else "")


def _setting(name: str) -> Callable[[Run], str]:
    return lambda run: str(run.settings.get(name, ""))


_PROVENANCE: dict[str, Callable[[Run], str]] = {
    "Code": _code,
    "cdkd": lambda run: run.version,
    "Recipe": _metadata("recipe"),
    "Data set": _setting("data.name"),
    "Data version": _metadata("dataset_hash", "dataset_version"),
    "Split": _metadata("split"),
    "Test views": _metadata("views"),
    "Test videos": _metadata("num_test_videos"),
    "Machine": _metadata("machine"),
    "Device": _metadata("device"),
    "Python": _metadata("python"),
    "Packages": _metadata("packages"),
    "Status of runs": lambda run: run.status,
}
"""One line each adds one to every study's part; runs that know nothing of it are passed over."""


def _counted(texts: Iterable[str]) -> str:
    counts = Counter(text for text in texts if text)
    if len(counts) == 1:
        return next(iter(counts))
    return "; ".join(f"{text} ({number} run{'s' * (number != 1)})" for text, number in counts.most_common())


@dataclass(frozen=True)
class Page:
    """All of it."""

    store: str
    """Address of the tracking store, without password."""
    view: str
    """Address of MLflow's pages."""
    studies: Sequence[StudyPart]
    tables: Sequence[Report]
    """Of the paper, and those beside it that have runs."""
    evidence: Evidence
    """What its figures are drawn from."""
    command: str
    """That writes the page again."""

    @property
    def title(self) -> str:
        """In a few words."""
        names = [part.record.study for part in self.studies]
        return f"Study {names[0]}" if len(names) == 1 else f"{len(names)} studies: {', '.join(names)}"

    @cached_property
    def drawings(self) -> Sequence[Drawing]:
        """Every figure that something is known for; one that two of them would draw stands there once."""
        found: dict[tuple[str, str], Drawing] = {}
        for figure in FIGURES.values():
            for drawing in figure.drawings(self.evidence):
                found.setdefault((drawing.name, drawing.alt), drawing)
        return tuple(found.values())

    @property
    def num_runs(self) -> int:
        """Of all studies; one that several have counts once."""
        return len({run.run_id for part in self.studies for run in part.runs})

    @property
    def latest(self) -> str:
        """Day and time (UTC) at which the youngest run started: the page shows the store as of then."""
        started = max((run.started for part in self.studies for run in part.runs), default=None)
        return "" if started is None else started.strftime("%Y-%m-%d %H:%M UTC")

    def address_of(self, run: Run) -> str:
        """The run in MLflow's pages; empty where its experiment is not known."""
        experiments = {part.record.study: part.record.experiment for part in self.studies}
        number = experiments.get(run.study)
        return "" if number is None else f"{self.view}/#/experiments/{number}/runs/{run.run_id}"


def run_facts(run: Run) -> dict[str, Any]:
    """What the page's list of runs shows of one."""
    top1 = run.metrics.get("test/top1")
    return {
        "label": ": ".join(part for part in (run.stage, run.label) if part) or run.cell,
        "seed": run.seed,
        "status": run.status_text,
        "top1": "" if top1 is None else f"{top1:.1f}",
        "started": run.started.strftime("%Y-%m-%d %H:%M"),
        "code": run.code,
        "id": run.run_id,
    }
