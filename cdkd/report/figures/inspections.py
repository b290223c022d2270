"""What runs keep of some test clips: found for a row, and its thumbnails as one picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.errors import CdkdError
from cdkd.report.aggregate import TableRow
from cdkd.report.figures.definition import Evidence
from cdkd.tracking.inspection import Inspection

_GAP = 2
"""Pixels between thumbnails, through which the page is seen."""


def inspections_of(row: TableRow, evidence: Evidence) -> list[Inspection]:
    """Of the row's runs, by seed; without those that keep none, or whose file cannot be read."""
    found = []
    for run in row.finished if evidence.inspections is not None else ():
        try:
            one = evidence.inspections(run.run_id)  # type: ignore[misc]
        except CdkdError:
            one = None
        if one is not None:
            found.append(one)
    return found


def mosaic(rows: Sequence[Sequence[NDArray[Any]]]) -> NDArray[np.uint8]:
    """Thumbnails (h, w, 3) of equal size, row by row, as one picture with gaps: (H, W, 4), the last opacity."""
    height, width, _ = rows[0][0].shape
    tall, wide = height + _GAP, width + _GAP
    picture = np.zeros((len(rows) * tall, max(map(len, rows)) * wide, 4), dtype=np.uint8)
    for i, row in enumerate(rows):
        for j, thumbnail in enumerate(row):
            top, left = i * tall + _GAP // 2, j * wide + _GAP // 2
            picture[top : top + height, left : left + width, :3] = thumbnail
            picture[top : top + height, left : left + width, 3] = 255
    return picture


def shaded(size: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Motion or residual (h, w) as a picture (h, w, 3): from black to white, its root, so that small ones are seen."""
    grey = np.sqrt(size / 255.0) * 255.0
    return np.repeat(grey.round().astype(np.uint8)[..., None], 3, axis=2)
