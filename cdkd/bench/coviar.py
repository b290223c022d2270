"""The loading scheme of CoViAR and its many successors in plain numpy, as the reader's slow rival.

Their loader is a C extension for an FFmpeg of 2017. What it does: for each frame and each representation it opens the
file, decodes the GOP from its I-frame on, keeps for every pixel where in the I-frame it comes from (vectors cut to
whole pixels; where one points out of the picture, the place stays), and subtracts the so warped I-frame. It is
re-stated here from that description. The result is that of `video/coviar_residual.py`, but for FFmpeg's colours.
"""

from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def load(path: Path, key_time: int, position: int, representation: str) -> NDArray[Any]:
    """One frame's accumulated `motion` (H, W, 2, whole pixels) or `residual` (H, W, 3)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"flags2": "+export_mvs"}
        container.seek(key_time, stream=stream)
        for index, frame in enumerate(container.decode(stream)):
            if index == 0:
                iframe = frame.to_ndarray(format="rgb24")
                here = np.indices((frame.height, frame.width)).transpose(1, 2, 0)
                source = here
            else:
                vectors: Any = frame.side_data.get("MOTION_VECTORS")
                source = _traced(source, vectors.to_ndarray())
            if index == position:
                break
        if representation == "motion":
            result: NDArray[Any] = (here - source)[..., ::-1].astype(np.int32)
        else:
            warped = iframe[source[..., 0], source[..., 1]]
            result = frame.to_ndarray(format="rgb24").astype(np.int32) - warped
        return result


def _traced(source: NDArray[np.int64], vectors: NDArray[np.void]) -> NDArray[np.int64]:
    """Where in the I-frame each pixel (y, x) comes from, one frame later."""
    height, width = source.shape[:2]
    traced = source.copy()
    for vector in vectors:
        rows = np.arange(vector["dst_y"] - vector["h"] // 2, vector["dst_y"] + (vector["h"] + 1) // 2)
        columns = np.arange(vector["dst_x"] - vector["w"] // 2, vector["dst_x"] + (vector["w"] + 1) // 2)
        rows, columns = rows[rows < height], columns[columns < width]
        down, right = int(vector["src_y"]) - int(vector["dst_y"]), int(vector["src_x"]) - int(vector["dst_x"])
        rows = rows[(rows + down >= 0) & (rows + down < height)]
        columns = columns[(columns + right >= 0) & (columns + right < width)]
        traced[np.ix_(rows, columns)] = source[np.ix_(rows + down, columns + right)]
    return traced
