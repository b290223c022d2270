"""Per-video scores of one network or of one row's seeds, from tracked runs or from files, other people's too."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cdkd.report.tracked import ReportError

if TYPE_CHECKING:
    import pandas as pd

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_VIDEO_COLUMNS = ("video_id", "video")
_LIST_COLUMNS = ("logits", "scores")
_SUFFIXES = "score files end in .parquet, .csv or .npz"
_FORMS = (
    "give a score file (.parquet, .csv or .npz with video_id, label, and logits or score_0, score_1, ...), the id of a "
    "tracked run, models:/name/version, or STUDY:LABEL for all seeds of one row (cdkd plan STUDY lists the labels)"
)


@dataclass(frozen=True)
class VideoScores:
    """What one network says of N test videos, sorted by video."""

    videos: tuple[str, ...]
    labels: NDArray[np.int64]
    """(N,)"""
    logits: NDArray[np.float64]
    """(N, K)"""

    @property
    def predictions(self) -> NDArray[np.int64]:
        """(N,) the classes with the highest logit."""
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(N,)"""
        return np.asarray(self.predictions == self.labels)


@dataclass(frozen=True)
class ScoreSet:
    """The networks behind one name: one, or one per seed."""

    name: str
    by_seed: Mapping[int, VideoScores]
    """A file's network, whose seed nobody tells, stands under 0."""
    seeds_are_known: bool


def read_score_set(reference: str, tracking_uri: str | None = None) -> ScoreSet:
    """The scores that a reference means: a file, a run id, a registered model, or `STUDY:LABEL`.

    Raises:
        ReportError: it is none of these, or the scores are incomplete.
        TrackingError: the store has no such run or scores.
    """
    path = Path(reference)
    if path.is_file():
        return ScoreSet(reference, {0: video_scores(_read_file(path), reference)}, False)
    if reference.startswith("models:/") or _RUN_ID.fullmatch(reference):
        return _one_run(reference, tracking_uri)
    study, colon, label = reference.partition(":")
    if not colon or path.suffix:
        raise ReportError(f"{reference}: no such file; {_FORMS}")
    return _row_of_study(reference, study, label, tracking_uri)


def _one_run(reference: str, tracking_uri: str | None) -> ScoreSet:
    from cdkd.tracking.artifacts import run_behind
    from cdkd.tracking.runs import load_scores

    run_id = run_behind(reference, tracking_uri)
    return ScoreSet(reference, {0: video_scores(load_scores(run_id, tracking_uri), reference)}, False)


def _row_of_study(reference: str, study: str, label: str, tracking_uri: str | None) -> ScoreSet:
    from cdkd.suggestion import did_you_mean
    from cdkd.tracking.plans import load_plan
    from cdkd.tracking.runs import load_runs, load_scores
    from cdkd.tracking.tracker import label_text

    runs = load_runs(tracking_uri, study)
    if runs.empty:
        raise ReportError(f"{reference}: no study '{study}' has runs in this store; {_FORMS}")
    # The cells that were last asked for, as in tables: what has the label may be of other settings, and a cell that
    # stands in two rows has one run. Where none of them has ended, the runs that have the label.
    asked: dict[str, list[str]] = {}
    for cell in load_plan(study, tracking_uri):
        asked.setdefault(label_text(cell.labels), []).append(cell.cell)
    ended = runs[runs["status"] == "finished"]
    finished = ended[ended["cell"].isin(asked.get(label, []))]
    if finished.empty:
        finished = ended[ended["label"] == label]
    if finished.empty:
        labels = sorted({*asked, *runs["label"].dropna()})
        # Quoted, since there are commas in them.
        known = f"known labels: {', '.join(map(repr, labels)) or 'none'}"
        raise ReportError(f"{reference}: no finished run; {did_you_mean(label, labels) or known}")
    # Of several attempts at a seed the youngest, as in tables.
    finished = finished.sort_values("started")
    by_seed = dict(zip(finished["seed"].astype(int).tolist(), finished["run_id"].tolist(), strict=True))
    scores = {seed: video_scores(load_scores(run, tracking_uri), f"run {run}") for seed, run in sorted(by_seed.items())}
    return ScoreSet(reference, scores, True)


def _read_file(path: Path) -> "pd.DataFrame":
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.suffix == ".csv":
            return pd.read_csv(path, dtype=dict.fromkeys(_VIDEO_COLUMNS, str))
        if path.suffix == ".npz":
            # Without pickle: nothing of a foreign file is executed.
            with np.load(path, allow_pickle=False) as arrays:
                return pd.DataFrame({name: list(arrays[name]) for name in arrays.files})
    except (OSError, ValueError, ImportError) as error:
        raise ReportError(f"{path}: cannot be read as scores: {error}") from error
    raise ReportError(f"{path}: {_SUFFIXES}")


def score_bytes(path: Path, columns: Mapping[str, Any]) -> bytes:
    """The content of a score file, of the kind that its suffix says.

    Args:
        path: .parquet, .csv or .npz; nothing is written.
        columns: `video` (N,), `label` (N,), `score_0` .. `score_{K-1}` (N,).

    Raises:
        ReportError: another suffix.
    """
    import pandas as pd

    stream = io.BytesIO()
    if path.suffix == ".parquet":
        pd.DataFrame(columns).to_parquet(stream)
    elif path.suffix == ".csv":
        pd.DataFrame(columns).to_csv(stream, index=False)
    elif path.suffix == ".npz":
        np.savez_compressed(stream, **columns)
    else:
        raise ReportError(f"{path}: {_SUFFIXES}")
    return stream.getvalue()


def video_scores(frame: "pd.DataFrame", source: str) -> VideoScores:
    """Checks a table of scores and sorts it by video.

    Args:
        frame: a line per video: `video_id` (or `video`), `label`, and `logits` (a list) or `score_0` .. `score_{K-1}`.
        source: what errors call it.

    Raises:
        ReportError: a column is missing, a video stands there twice, a score is no number, or a label is no class.
    """
    video = next((name for name in _VIDEO_COLUMNS if name in frame.columns), None)
    if video is None or "label" not in frame.columns:
        raise ReportError(f"{source}: scores need the columns video_id and label; it has {', '.join(map(str, frame))}")
    logits = _logits(frame, source)
    names = frame[video].astype(str)
    if names.duplicated().any():
        raise ReportError(f"{source}: video {names[names.duplicated()].iloc[0]} stands there twice")
    if not len(frame):
        raise ReportError(f"{source}: holds no video")
    if not np.isfinite(logits).all():
        first = int(np.flatnonzero(~np.isfinite(logits).all(axis=1))[0])
        raise ReportError(f"{source}: a score of video {names.iloc[first]} is no finite number")
    labels = frame["label"].to_numpy()
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ReportError(f"{source}: labels must be whole numbers from 0 to {logits.shape[1] - 1}, one per score")
    order = np.argsort(names.to_numpy().astype(str))
    return VideoScores(tuple(names.iloc[order]), labels[order].astype(np.int64), logits[order])


def _logits(frame: "pd.DataFrame", source: str) -> NDArray[np.float64]:
    numbered = {int(name[6:]): name for name in map(str, frame.columns) if re.fullmatch(r"score_\d+", name)}
    lists = next((name for name in _LIST_COLUMNS if name in frame.columns), None)
    try:
        if numbered:
            if sorted(numbered) != list(range(len(numbered))):
                raise ReportError(f"{source}: score columns must be score_0 to score_{len(numbered) - 1}")
            return frame[[numbered[k] for k in range(len(numbered))]].to_numpy(dtype=np.float64)
        if lists is not None:
            rows = [_numbers(row) for row in frame[lists]]
            return np.stack(rows) if rows else np.zeros((0, 1))
    except (ValueError, TypeError) as error:
        raise ReportError(f"{source}: scores must be numbers, as many for each video: {error}") from error
    raise ReportError(f"{source}: has neither score_0, score_1, ... nor logits")


def _numbers(row: object) -> NDArray[np.float64]:
    """One video's logits; a CSV holds them as one text, with or without brackets and commas."""
    if isinstance(row, str):
        row = [float(word) for word in row.strip("[] ").replace(",", " ").split()]
    return np.asarray(row, dtype=np.float64)
