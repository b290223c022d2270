"""Videos as cameras and sites write them: with B-frames, or in codecs without P-frames that we read."""

from fractions import Fraction
from pathlib import Path

import av

OPTIONS = {"libx264": {"bf": "2", "b-adapt": "0", "g": "12"}, "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"}}


def reencode(source: Path, target: Path, codec: str) -> None:
    """The frames of one file in another codec; `target`'s suffix decides the container."""
    with av.open(str(source)) as container:
        frames = [frame.reformat(format="yuv420p") for frame in container.decode(video=0)]
    with av.open(str(target), "w") as container:
        stream = container.add_stream(codec, rate=24, options=OPTIONS[codec])
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        for index, frame in enumerate(frames):
            frame.pts, frame.time_base, frame.pict_type = index, Fraction(1, 24), 0
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
