"""What the networks of a row say of each class, over seeds: confusions counted from per-video scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cdkd.errors import CdkdError
from cdkd.report.aggregate import TableRow
from cdkd.report.figures.definition import Evidence
from cdkd.report.score_set import video_scores

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RowPredictions:
    """One row's networks, one per seed."""

    row: TableRow
    counts: NDArray[np.int64]
    """(S, K, K): test videos of class i that the network of seed s takes for class j."""
    classes: tuple[str, ...]
    """Their names; numbers where the scores do not tell them."""

    @property
    def shares(self) -> Floats:
        """(S, K, K) percent of the class's videos; 0 for a class without any."""
        totals = self.counts.sum(axis=2, keepdims=True)
        return np.asarray(100.0 * self.counts / np.maximum(totals, 1))

    @property
    def by_class(self) -> Floats:
        """(S, K) percent of the class's videos that are recognised."""
        return np.asarray(np.diagonal(self.shares, axis1=1, axis2=2))

    @property
    def num_videos(self) -> NDArray[np.int64]:
        """(K,) of each class."""
        return np.asarray(self.counts[0].sum(axis=1))


def reference_row(rows: Sequence[TableRow]) -> TableRow:
    """The row that others of its network are compared with, else the first."""
    return next((row for row in rows if not row.weights), rows[0])


def rows_by_accuracy(rows: Sequence[TableRow]) -> list[TableRow]:
    """The most accurate first."""
    return sorted(rows, key=lambda row: -(row.top1.mean if row.top1 else 0.0))


def read_predictions(rows: Sequence[TableRow], evidence: Evidence) -> list[RowPredictions]:
    """Of each of these rows; [] where the scores of one cannot be read, or belong to other classes than the rest."""
    if evidence.scores is None:
        return []
    found = []
    for row in rows:
        counts, classes = [], ()
        for run in row.finished:
            try:
                frame = evidence.scores(run.run_id)
                scores = video_scores(frame, f"run {run.run_id}")
            except CdkdError:
                # A run of an earlier version, or one whose files are gone: its row stands in the table all the same.
                return []
            number = scores.logits.shape[1]
            one = np.zeros((number, number), dtype=np.int64)
            np.add.at(one, (scores.labels, scores.predictions), 1)
            counts.append(one)
            classes = tuple(frame.attrs.get("classes") or map(str, range(number)))
        if len({one.shape for one in counts}) != 1:
            return []
        found.append(RowPredictions(row, np.stack(counts), classes))
    return found if len({each.counts.shape[1] for each in found}) == 1 else []


def readable(name: str) -> str:
    """A class's name as a label of an axis."""
    text = name.replace("_", " ")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


_LONGEST = 28
