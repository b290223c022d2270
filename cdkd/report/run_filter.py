"""Which of the tracked runs a report is about; a filter that no run passes is an error that says what there is."""

from collections.abc import Mapping, Sequence
from typing import Any

from cdkd.effective_settings import is_read
from cdkd.report.tracked import ReportError, Run
from cdkd.suggestion import hint


def runs_of_study(runs: Sequence[Run], study: str) -> tuple[Run, ...]:
    """The runs of one study.

    Raises:
        ReportError: it has none.
    """
    found = tuple(run for run in runs if run.study == study)
    if not found:
        raise ReportError(f"--study {study}: no tracked run; {_known(study, [run.study for run in runs], 'studies')}")
    return found


def runs_on_dataset(runs: Sequence[Run], dataset: str) -> tuple[Run, ...]:
    """The runs on one data set.

    Raises:
        ReportError: there is none.
    """
    found = tuple(run for run in runs if run.dataset == dataset)
    if not found:
        names = [run.dataset for run in runs]
        raise ReportError(f"--dataset {dataset}: no tracked run; {_known(dataset, names, 'data sets')}")
    return found


def runs_where(runs: Sequence[Run], wanted: Mapping[str, Any]) -> tuple[Run, ...]:
    """The runs with these settings; a setting that a run never reads fits any value.

    Raises:
        ReportError: no run has such a setting, or none has this value.
    """
    for key, value in wanted.items():
        known = dict.fromkeys(name for run in runs for name in run.settings)
        if key not in known:
            raise ReportError(f"--where {key}: no tracked run has this setting; {_known(key, known, 'settings')}")
        readers = [run for run in runs if is_read(key, run.settings)]
        if not any(run.settings.get(key) == value for run in readers):
            values = sorted({str(run.settings[key]) for run in readers if key in run.settings})
            raise ReportError(f"--where {key}={value}: no tracked run has this value; there are {', '.join(values)}")
        runs = [run for run in runs if run.settings.get(key) == value or not is_read(key, run.settings)]
    return tuple(runs)


def _known(given: str, names: Sequence[str] | Mapping[str, None], noun: str) -> str:
    return hint(given, sorted(set(names)), noun) if names else "run a study first: cdkd sweep ablation.yaml"
