"""CoViAR's residual by its definition: whole-pixel vectors, traced to the I-frame pixel by pixel."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from support.videos import H264_ONE_REFERENCE, MPEG4_B_FRAMES, clip, moving_texture, sudden_square, write_stream

from cdkd.modality import MotionReference, ResidualKind
from cdkd.video.reader import VideoReader, read_gop


def vectors_of(path: Path, codec: str) -> list[Any]:
    """Of each frame as FFmpeg hands them out, whole-pixel source included; None: it has none."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context: Any = av.CodecContext.create(codec, "r")
        context.extradata = stream.codec_context.extradata
        context.options = {"threads": "1", "flags": "+bitexact", "flags2": "+export_mvs"}
        frames = [frame for packet in container.demux(stream) for frame in context.decode(packet)]
    return [frame.side_data.get("MOTION_VECTORS") for frame in frames]


def trace_slowly(origin: NDArray[np.int64], vectors: Any) -> NDArray[np.int64]:
    """(H, W, 2) rows and columns of the reference, one frame later."""
    height, width = origin.shape[:2]
    traced = origin.copy()
    for vector in vectors:
        for y in range(vector.dst_y - vector.h // 2, vector.dst_y + vector.h // 2):
            for x in range(vector.dst_x - vector.w // 2, vector.dst_x + vector.w // 2):
                from_y, from_x = y + vector.src_y - vector.dst_y, x + vector.src_x - vector.dst_x
                if 0 <= y < height and 0 <= x < width and 0 <= from_y < height and 0 <= from_x < width:
                    traced[y, x] = origin[from_y, from_x]
    return traced


@pytest.mark.parametrize("reference", list(MotionReference))
@pytest.mark.parametrize("scene", ["square", "odd size", "h264"])
def test_it_is_the_frame_minus_the_warped_reference(tmp_path: Path, scene: str, reference: MotionReference) -> None:
    path, num_frames = tmp_path / "a.mp4", 8
    if scene == "h264":
        write_stream(path, moving_texture(8, velocity=(3, -2)), "libx264", H264_ONE_REFERENCE)
    elif scene == "square":
        clip(path, sudden_square(8))
    else:
        clip(path, moving_texture(8, 46, 70, velocity=(5, -3)))
    read = read_gop(path, 0, range(1, num_frames), range(num_frames), reference, ResidualKind.COVIAR)
    vectors = vectors_of(path, "h264" if scene == "h264" else "mpeg4")
    height, width = read.iframe.shape[:2]
    still = np.indices((height, width)).transpose(1, 2, 0)
    origin = still
    for position in range(1, num_frames):
        origin = trace_slowly(origin, vectors[position])
        shown = read.frames[0]
        if reference is MotionReference.FRAME_BEFORE:
            shown = read.frames[position - 1]
        warped = shown[origin[..., 0], origin[..., 1]].astype(int)
        np.testing.assert_array_equal(read.residual[position - 1], read.frames[position] - warped)
        if reference is MotionReference.FRAME_BEFORE:
            origin = still
    assert np.abs(read.residual).max() > 20


def test_motion_and_frames_are_the_same(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(12, velocity=(3, -2)))
    ours, theirs = (read_gop(path, 0, (2, 11, 2), (5,), residual=kind) for kind in ResidualKind)
    for name in ("iframe", "motion", "intra", "frames"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    np.testing.assert_array_equal(theirs.residual[0], theirs.residual[2])
    assert (ours.residual[1] != theirs.residual[1]).mean() > 0.5


def test_among_b_frames(tmp_path: Path) -> None:
    path = write_stream(tmp_path / "b.mp4", moving_texture(16), "mpeg4", MPEG4_B_FRAMES)
    with VideoReader(path) as video:
        read = video.read_gop(0, (3, 6), (0, 3, 6), residual=ResidualKind.COVIAR)
    still = np.indices((64, 96)).transpose(1, 2, 0)
    vectors = vectors_of(path, "mpeg4")
    origin = still
    for slot, position in enumerate((3, 6)):
        origin = trace_slowly(origin, vectors[position])
        warped = read.frames[0][origin[..., 0], origin[..., 1]].astype(int)
        np.testing.assert_array_equal(read.residual[slot], read.frames[slot + 1] - warped)
