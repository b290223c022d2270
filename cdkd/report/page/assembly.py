"""A page put together from the tracking store: every study in it, or one; the runs are read once."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from cdkd.report.assemble import build_reports
from cdkd.report.page.content import Page, StudyPart
from cdkd.report.run_filter import runs_of_study
from cdkd.report.study_table import study_report
from cdkd.report.tables.catalog import TABLES
from cdkd.report.tracked import ReportError, read_runs
from cdkd.report.videos import ScoreLoader
from cdkd.report.writing import evidence_of
from cdkd.tracking.plans import load_plan
from cdkd.tracking.runs import load_runs, load_scores
from cdkd.tracking.store import shown, tracking_uri
from cdkd.tracking.study_record import StudyRecord, load_study_records
from cdkd.tracking.view import view_address

if TYPE_CHECKING:
    import pandas as pd


def load_page(
    uri: str | None = None,
    study: str | None = None,
    tables: Sequence[str] | None = None,
    over_videos: bool | None = None,
    cells: Collection[str] = (),
    beside: Collection[str] = (),
) -> Page:
    """The page of one study, or of all studies of a store.

    Args:
        uri: the store; None: `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.
        study: only this one.
        tables: names of those beside the studies' own; None: all that have runs.
        over_videos: as of `build_reports`.
        cells: as of `build_reports`.
        beside: further studies, whose runs fill the rows of `tables` that the study itself has not.

    Raises:
        CdkdError: no such store, or no run of the study, or of any.
    """
    uri = uri or tracking_uri()
    frame = load_runs(uri, study)
    runs = read_runs(frame)
    if not runs:
        if study is not None:
            # Refused, with what there is.
            runs_of_study(read_runs(load_runs(uri)), study)
        raise ReportError("no tracked run; run a study first: cdkd sweep ablation.yaml")
    scores = partial(load_scores, tracking_uri=uri)
    records = load_study_records(uri, None if study is None else [study])
    parts = _parts(frame, records, scores, over_videos, uri)
    names = TABLES if tables is None else tables
    known = {run.run_id for run in runs}
    others = [run for name in beside for run in read_runs(load_runs(uri, name)) if run.run_id not in known]
    found = [one for name in names for one in build_reports(name, [*runs, *others], scores, over_videos, cells)]
    if tables is None:
        found = [report for report in found if report.dataset]
    command = "cdkd report --all" + ("" if study is None else f" --study {study}")
    evidence = evidence_of([*found, *(part.report for part in parts)], uri)
    return Page(shown(uri), view_address(uri), parts, found, evidence, command)


def _parts(
    frame: "pd.DataFrame", records: Mapping[str, StudyRecord], scores: ScoreLoader, over_videos: bool | None, uri: str
) -> list[StudyPart]:
    adopted = frame["adopted_by"].str.split()
    parts = []
    for name, record in records.items():
        runs = read_runs(frame[(frame["study"] == name) | adopted.map(lambda names, name=name: name in names)])
        if runs:
            parts.append(StudyPart(record, study_report(name, runs, load_plan(name, uri), scores, over_videos), runs))
    return parts
