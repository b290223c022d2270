"""Reading GOPs: exact, in any order, of every kind of stream that can be read."""

import doctest
import os
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from support.videos import (
    H264_ONE_REFERENCE,
    MPEG4_B_FRAMES,
    clip,
    moving_texture,
    packed_avi,
    sudden_square,
    write_stream,
)

import cdkd.video.reader
from cdkd.modality import MotionReference, ResidualKind
from cdkd.video.frames import VideoError
from cdkd.video.reader import VideoReader, describe, read_gop


def decode(path: Path, threads: str = "1", kind: str = "frame", **options: str) -> list[Any]:
    """All frames in display order, through PyAV alone."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context: Any = av.CodecContext.create(stream.codec_context.name, "r")
        context.extradata = stream.codec_context.extradata
        context.options = {"threads": threads, "thread_type": kind, "flags": "+bitexact", **options}
        return [frame for packet in container.demux(stream) for frame in context.decode(packet)]


def planes_of(frame: Any) -> list[NDArray[np.int64]]:
    rows = [np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size) for plane in frame.planes]
    return [row[: plane.height, : plane.width].astype(np.int64) for row, plane in zip(rows, frame.planes, strict=True)]


def rgb(planes: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """BT.601 studio range in 13-bit fixed point, in 64-bit integers."""
    y = planes[0] - 16
    u, v = ((plane - 128).repeat(2, 0).repeat(2, 1)[: y.shape[0], : y.shape[1]] for plane in planes[1:])
    channels = [9539 * y + 13075 * v, 9539 * y - 3209 * u - 6660 * v, 9539 * y + 16525 * u]
    return np.clip((np.stack(channels, -1) + 4096) >> 13, 0, 255)


def test_shapes_types_and_order(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(14, 48, 80))
    whole = read_gop(path, 0, range(1, 12), range(12))
    part = read_gop(path, 0, (5, 2, 5), (11, 0))
    assert (part.positions, part.frame_positions) == ((5, 2, 5), (11, 0))
    assert (part.motion.shape, part.motion.dtype) == ((3, 48, 80, 2), np.int16)
    assert (part.residual.shape, part.residual.dtype) == ((3, 48, 80, 3), np.int16)
    assert (part.intra.shape, part.intra.dtype) == ((3, 6, 10), np.bool_)
    for name in ("motion", "residual", "intra"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[[4, 1, 4]])
    np.testing.assert_array_equal(part.frames, whole.frames[[11, 0]])
    np.testing.assert_array_equal(part.iframe, whole.frames[0])
    # Networks want channels first: memory lies that way.
    assert part.motion.transpose(0, 3, 1, 2).flags.c_contiguous
    assert part.residual.transpose(0, 3, 1, 2).flags.c_contiguous


def test_known_motion_is_recovered(tmp_path: Path) -> None:
    # The window moves by (3, -2): content moves by (-3, 2) pixels a frame, that is (-12, 8) quarter pixels.
    path = clip(tmp_path / "a.mp4", moving_texture(12, 80, 112, (3, -2)), quantiser=1)
    accumulated = read_gop(path, 0, range(1, 12))
    per_frame = read_gop(path, 0, range(1, 12), reference=MotionReference.FRAME_BEFORE)
    for index in range(11):
        inner = np.s_[32:48, 48:64]
        assert np.median(per_frame.motion[index], (0, 1)).tolist() == [-12, 8]
        assert np.median(accumulated.motion[index][inner], (0, 1)).tolist() == [-12 * (index + 1), 8 * (index + 1)]


def predict_slowly(vectors: Any, before: list[Any], rounding: int) -> list[Any]:
    """ISO/IEC 14496-2 half-pixel prediction of three planes, pixel by pixel; where no vector is, what was there."""
    out = [plane.copy() for plane in before]
    sums: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for vector in vectors:
        side = int(vector["w"])
        left, top = int(vector["dst_x"]) - side // 2, int(vector["dst_y"]) - side // 2
        motion = (int(vector["motion_x"]), int(vector["motion_y"]))
        _predict_block_slowly(before[0], out[0], left, top, side, motion, rounding)
        sums.setdefault((left // 16, top // 16), []).extend([motion] * (4 if side == 16 else 1))
    table = [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2]
    for (column, row), motions in sums.items():
        assert len(motions) == 4
        totals = [sum(motion[axis] for motion in motions) for axis in range(2)]
        # |sum| / 8 with the sixteenths rounded by the table, sign put back afterwards.
        chroma = [int(np.sign(t)) * (2 * (abs(t) // 16) + table[abs(t) % 16]) for t in totals]
        for plane in (1, 2):
            _predict_block_slowly(before[plane], out[plane], 8 * column, 8 * row, 8, (chroma[0], chroma[1]), rounding)
    return out


def _predict_block_slowly(
    source: Any, out: Any, left: int, top: int, side: int, motion: tuple[int, int], rounding: int
) -> None:
    height, width = source.shape
    (whole_x, half_x), (whole_y, half_y) = divmod(motion[0], 2), divmod(motion[1], 2)
    y, x = np.arange(top, top + side)[:, None] + whole_y, np.arange(left, left + side)[None, :] + whole_x
    pixels = [
        source[np.clip(y + dy, 0, height - 1), np.clip(x + dx, 0, width - 1)]
        for dy in range(half_y + 1)
        for dx in range(half_x + 1)
    ]
    bias = {1: 0, 2: 1 - rounding, 4: 2 - rounding}[len(pixels)]
    out[top : top + side, left : left + side] = (sum(pixels) + bias) // len(pixels)


@pytest.mark.parametrize("reference", list(MotionReference))
@pytest.mark.parametrize("scene", ["texture", "square"])
def test_prediction_and_residual_are_the_frame_to_the_bit(
    tmp_path: Path, scene: str, reference: MotionReference
) -> None:
    path = clip(tmp_path / "a.mp4", sudden_square() if scene == "square" else moving_texture(14, velocity=(5, -3)))
    frames = decode(path, flags2="+export_mvs")
    read = read_gop(path, 0, range(1, 12), range(12), reference)
    predicted = planes_of(frames[0])
    np.testing.assert_array_equal(read.iframe, rgb(predicted))
    for index in range(11):
        if reference is MotionReference.FRAME_BEFORE:
            predicted = planes_of(frames[index])
        vectors = frames[index + 1].side_data.get("MOTION_VECTORS").to_ndarray()
        # FFmpeg's encoder alternates the rounding, starting with 1 at the first P-frame.
        predicted = predict_slowly(vectors, predicted, (index + 1) % 2)
        decoded = rgb(planes_of(frames[index + 1]))
        np.testing.assert_array_equal(read.frames[index + 1], decoded)
        np.testing.assert_array_equal(rgb(predicted) + read.residual[index], decoded)
    assert read.intra.any() == (scene == "square")
    assert np.abs(read.residual).max() > 20


def test_the_accumulated_residual_holds_what_appeared(tmp_path: Path) -> None:
    # A square of one colour is there from frame 3 on; the codec codes it as intra blocks once, then by vectors.
    path = clip(tmp_path / "a.mp4", sudden_square())
    read = read_gop(path, 0, range(1, 12), range(12))
    assert read.intra[2].any() and not read.intra[3:].any()
    inside = np.s_[20:44, 36:60]
    for index in range(2, 11):
        colours = read.frames[index + 1][inside].astype(int).mean((0, 1))
        np.testing.assert_allclose(colours, (250, 10, 240), atol=6)
        assert np.abs(read.residual[index][inside]).mean() > 50


@pytest.mark.parametrize("scene", ["odd size", "quarter pixel"])
def test_accumulated_residual_of_other_streams_is_exact(tmp_path: Path, scene: str) -> None:
    path = tmp_path / "a.mp4"
    if scene == "quarter pixel":
        options = {"flags": "+qpel+mv4", "g": "12", "bf": "0", "qmin": "3", "qmax": "3"}
        write_stream(path, moving_texture(14, velocity=(1, 3)), "mpeg4", options)
    else:
        clip(path, moving_texture(14, 46, 70, velocity=(1, -1)))
    full, chain = decode(path), decode(path, skip_idct="nokey")
    read = read_gop(path, 0, range(1, 12), range(12))
    np.testing.assert_array_equal(read.iframe, rgb(planes_of(full[0])))
    for index in range(11):
        np.testing.assert_array_equal(read.frames[index + 1], rgb(planes_of(full[index + 1])))
        predicted, decoded = rgb(planes_of(chain[index + 1])), rgb(planes_of(full[index + 1]))
        np.testing.assert_array_equal(predicted + read.residual[index], decoded)
    assert not read.intra.any()
    assert np.abs(read.residual).max() > 20


@pytest.mark.parametrize(("threads", "kind"), [("1", "frame"), ("3", "frame"), ("3", "slice")])
def test_motion_is_ffmpegs_by_field_with_any_threads(tmp_path: Path, threads: str, kind: str) -> None:
    path = clip(tmp_path / "a.mp4", sudden_square())
    read = read_gop(path, 0, range(1, 12), reference=MotionReference.FRAME_BEFORE)
    frames = decode(path, threads, kind, flags2="+export_mvs")
    for index in range(11):
        motion, intra = np.zeros((64, 96, 2), np.int64), np.ones((64, 96), bool)
        for vector in frames[index + 1].side_data.get("MOTION_VECTORS"):
            left, top = vector.dst_x - vector.w // 2, vector.dst_y - vector.h // 2
            place = np.s_[top : top + vector.h, left : left + vector.w]
            motion[place] = (-4 * vector.motion_x // vector.motion_scale, -4 * vector.motion_y // vector.motion_scale)
            intra[place] = False
        np.testing.assert_array_equal(read.motion[index], motion)
        np.testing.assert_array_equal(read.intra[index].repeat(8, 0).repeat(8, 1), intra)
        changed = rgb(planes_of(frames[index + 1])) - rgb(planes_of(frames[index]))
        np.testing.assert_array_equal(read.residual[index][intra], changed[intra])
    # The square appears at frame 3, over macroblocks that nothing predicts; one is 2 x 2 motion blocks.
    assert read.intra[2].sum() >= 2 * 4


def test_iterating_reads_what_single_reads_do(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(17, 48, 80), gop_length=8)
    with VideoReader(path) as video:
        reads = list(video.iter_gops(frame_positions=(0,)))
        assert [read.positions for read in reads] == [tuple(range(1, 8)), tuple(range(1, 8)), ()]
        for gop in (2, 0, 1):
            again = video.read_gop(gop, reads[gop].positions, (0,))
            for name in ("iframe", "motion", "residual", "intra", "frames"):
                np.testing.assert_array_equal(getattr(again, name), getattr(reads[gop], name))


def test_a_reader_is_a_sequence_of_gops(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(17, 48, 80), gop_length=8)
    with VideoReader(path) as video:
        assert len(video) == 3
        assert [gop.positions for gop in video] == [tuple(range(1, 8)), tuple(range(1, 8)), ()]
        np.testing.assert_array_equal(video[-2].residual, video.read_gop(1, range(1, 8)).residual)
        assert [len(gop.motion) for gop in video[1:]] == [7, 0]
        assert [len(gop.motion) for gop in video[::-2]] == [0, 7]
        for gop in (3, -4):
            with pytest.raises(IndexError, match=rf"a\.mp4: has 3 GOPs; there is no GOP {gop}"):
                video[gop]


def test_the_examples_run() -> None:
    assert doctest.testmod(cdkd.video.reader).attempted > 5
    assert doctest.testmod(cdkd.video.reader).failed == 0


def test_a_reference_may_be_named_by_the_settings_value(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(4, 48, 80))
    named = read_gop(path, 0, [3], reference="per_frame", residual="coviar")  # type: ignore[arg-type]
    meant = read_gop(path, 0, [3], reference=MotionReference.FRAME_BEFORE, residual=ResidualKind.COVIAR)
    np.testing.assert_array_equal(named.motion, meant.motion)
    np.testing.assert_array_equal(named.residual, meant.residual)
    with pytest.raises(ValueError, match="'iframe' is not a valid MotionReference"):
        read_gop(path, 0, [3], reference="iframe")  # type: ignore[arg-type]


def test_what_is_held_stays_while_more_is_read(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(24, 48, 80))
    names = ("iframe", "motion", "residual", "intra", "frames")
    with VideoReader(path) as video:
        held = video.read_gop(0, range(1, 12), (3,))
        copies = {name: getattr(held, name).copy() for name in names}
        for gop in (1, 0, 1):
            video.read_gop(gop, range(1, 12), (3,))
    for name in names:
        np.testing.assert_array_equal(getattr(held, name), copies[name])


def test_a_mirrored_video_moves_the_other_way(tmp_path: Path) -> None:
    # An encoder searches from left to right, so its vectors differ here and there; what moves is the same.
    frames = moving_texture(12, 80, 112, (3, -2))
    mirror = [np.ascontiguousarray(frame[:, ::-1]) for frame in frames]
    reads = [
        read_gop(clip(tmp_path / f"{name}.mp4", pictures, quantiser=1), 0, range(1, 12))
        for name, pictures in (("a", frames), ("b", mirror))
    ]
    inner = np.s_[32:48, 40:72]
    for index in range(11):
        straight, turned = reads[0].motion[index][inner], reads[1].motion[index][:, ::-1][inner] * (-1, 1)
        assert np.median(straight, (0, 1)).tolist() == np.median(turned, (0, 1)).tolist()
        assert np.median(straight[..., 0]) == -12 * (index + 1)


def test_without_residual(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(5, 48, 80))
    with VideoReader(path) as video:
        for reference in MotionReference:
            lean = video.read_gop(0, (1, 3), (2,), reference, residual=None)
            full = video.read_gop(0, (1, 3), (2,), reference)
            assert lean.residual.shape == (0, 48, 80, 3)
            for name in ("iframe", "motion", "intra", "frames"):
                np.testing.assert_array_equal(getattr(lean, name), getattr(full, name))


@pytest.mark.parametrize("kind", ["mpeg4", "h264"])
def test_motion_alone_is_decoded_with_less_work_and_the_same_result(tmp_path: Path, kind: str) -> None:
    frames = moving_texture(24, 64, 112, (3, -2))
    if kind == "mpeg4":
        path = clip(tmp_path / "a.mp4", frames)
    else:
        path = write_stream(tmp_path / "a.mp4", frames, "libx264", H264_ONE_REFERENCE)
    with VideoReader(path) as video:
        for gop in range(video.info.num_gops):
            positions = video.p_positions(gop)
            lean = video.read_gop(gop, positions, residual=None)
            full = video.read_gop(gop, positions, range(len(positions) + 1))
            np.testing.assert_array_equal(lean.iframe, full.frames[0])
            for name in ("iframe", "motion", "intra"):
                np.testing.assert_array_equal(getattr(lean, name), getattr(full, name))


def test_reading_on_equals_reading_alone_whatever_is_asked(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(60, 48, 80))
    exact = ResidualKind.EXACT
    asked = [((1, 11), (0,), exact), ((11,), (), None), ((), (11,), exact), ((2,), (), None), ((5, 11), (3,), exact)]
    with VideoReader(path) as video:
        for gop, (positions, frame_positions, residual) in enumerate(asked):
            on = video.read_gop(gop, positions, frame_positions, residual=residual)
            alone = read_gop(path, gop, positions, frame_positions, residual=residual)
            for name in ("iframe", "motion", "residual", "intra", "frames"):
                np.testing.assert_array_equal(getattr(on, name), getattr(alone, name))


@pytest.mark.parametrize("layout", ["mp4", "avi", "packed"])
def test_p_frames_among_b_frames(tmp_path: Path, layout: str) -> None:
    frames = moving_texture(16)
    if layout == "packed":
        path = packed_avi(tmp_path / "a.avi", frames)
    else:
        path = write_stream(tmp_path / f"a.{layout}", frames, "mpeg4", MPEG4_B_FRAMES)
    step = 2 if layout == "packed" else 3
    full, chain = decode(path), decode(path, skip_idct="nokey")
    with VideoReader(path) as video:
        assert video.p_positions(0) == tuple(range(step, 12, step))
        assert video.info.gop_lengths == (12, 4)
        for gop in (1, 0):
            read = video.read_gop(gop, video.p_positions(gop), range(video.info.gop_lengths[gop]))
            for slot in range(len(read.frames)):
                np.testing.assert_array_equal(read.frames[slot], rgb(planes_of(full[12 * gop + slot])))
            for slot, position in enumerate(read.positions):
                expected = rgb(planes_of(full[12 * gop + position])) - rgb(planes_of(chain[12 * gop + position]))
                np.testing.assert_array_equal(read.residual[slot], expected)
        assert np.median(video.read_gop(0, [step]).motion[0], (0, 1)).tolist() == [-8 * step, -4 * step]
        with pytest.raises(VideoError, match=r"positions \[1\] of GOP 0 \(IB.*are none"):
            video.read_gop(0, [1])


def test_h264(tmp_path: Path) -> None:
    path = write_stream(tmp_path / "a.mp4", moving_texture(10), "libx264", H264_ONE_REFERENCE)
    with VideoReader(path) as video:
        assert video.info.gop_lengths == (8, 2)
        accumulated = video.read_gop(0, range(1, 8), range(8))
        per_frame = video.read_gop(0, range(1, 8), reference=MotionReference.FRAME_BEFORE)
    for index in range(7):
        assert np.median(per_frame.motion[index], (0, 1)).tolist() == [-8, -4]
        inner = np.s_[16:40, 16:64]
        assert np.median(accumulated.motion[index][inner], (0, 1)).tolist() == [-8 * (index + 1), -4 * (index + 1)]
        for read, reference in ((accumulated, read_iframe(accumulated)), (per_frame, accumulated.frames[index])):
            warped = warp_slowly(reference, read.motion[index])
            np.testing.assert_array_equal(warped + read.residual[index], accumulated.frames[index + 1])
    np.testing.assert_array_equal(accumulated.residual[0], per_frame.residual[0])


def test_h264_intra_blocks_hold_what_appeared(tmp_path: Path) -> None:
    path = write_stream(tmp_path / "a.mp4", sudden_square(8), "libx264", H264_ONE_REFERENCE)
    accumulated = read_gop(path, 0, range(1, 8))
    per_frame = read_gop(path, 0, range(1, 8), range(8), MotionReference.FRAME_BEFORE)
    assert accumulated.intra[2].any()
    intra = per_frame.intra[2].repeat(8, 0).repeat(8, 1)
    changed = per_frame.frames[3].astype(int) - per_frame.frames[2]
    np.testing.assert_array_equal(per_frame.residual[2][intra], changed[intra])
    for index in range(2, 7):
        assert np.abs(accumulated.residual[index][20:44, 36:60]).mean() > 50


def read_iframe(read: Any) -> NDArray[np.uint8]:
    iframe: NDArray[np.uint8] = read.iframe
    return iframe


def warp_slowly(reference: NDArray[np.uint8], motion: NDArray[np.int16]) -> NDArray[np.int64]:
    """reference(x - motion) by bilinear interpolation in quarter pixels, edges repeated, rounded half up."""
    height, width = motion.shape[:2]
    y = 4 * np.arange(height)[:, None] - motion[..., 1].astype(int)
    x = 4 * np.arange(width)[None, :] - motion[..., 0].astype(int)
    total = np.zeros((height, width, 3), np.int64)
    for dy in (0, 1):
        for dx in (0, 1):
            weight = (y % 4 if dy else 4 - y % 4) * (x % 4 if dx else 4 - x % 4)
            pixels = reference[np.clip(y // 4 + dy, 0, height - 1), np.clip(x // 4 + dx, 0, width - 1)]
            total += weight[..., None] * pixels.astype(np.int64)
    return (total + 8) // 16


def test_nothing_is_decoded_after_the_last_wanted_frame(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(12), quantiser=2)
    good = read_gop(path, 0, (4,))
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        sixth = [packet for packet in container.demux(video=0) if packet.size][6]
    # Damage in the second half of the frame alone: by default FFmpeg would paint over it and say nothing.
    for offset in range(sixth.pos + sixth.size // 2, sixth.pos + sixth.size):
        data[offset] ^= 0x5A
    path.write_bytes(data)
    os.utime(path, ns=(1, 1))
    np.testing.assert_array_equal(read_gop(path, 0, (4,), (5,)).motion, good.motion)
    with VideoReader(path) as video:
        with pytest.raises(VideoError, match="frame 6 of GOP 0 is damaged"):
            video.read_gop(0, (7,))
        # Damage is forgotten: the same decoders go on.
        np.testing.assert_array_equal(video.read_gop(0, (4,)).residual, good.residual)


@pytest.mark.parametrize(
    ("gop", "positions", "frame_positions", "text"),
    [
        (2, (1,), (), "has 2 GOPs; there is no GOP 2"),
        (-1, (1,), (), "there is no GOP -1"),
        (1, (1, 5), (), r"GOP 1 has 5 frames; positions \[5\] are outside 0..4"),
        (0, (1,), (-1,), r"positions \[-1\] are outside 0..11"),
        (0, (0,), (), r"positions \[0\] of GOP 0 \(IPPPPPPPPPPP\) are none"),
    ],
)
def test_wrong_requests_say_what_there_is(
    tmp_path: Path, gop: int, positions: tuple[int, ...], frame_positions: tuple[int, ...], text: str
) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(17))
    with VideoReader(path) as video, pytest.raises(VideoError, match=text):
        video.read_gop(gop, positions, frame_positions)


def test_inexact_residual_per_frame_is_refused(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving_texture(3, 48, 70))
    with VideoReader(path) as video:
        assert video.read_gop(0, [1], reference=MotionReference.FRAME_BEFORE, residual=None).motion.shape == (
            1,
            48,
            70,
            2,
        )
        with pytest.raises(VideoError, match=r"multiples of 16.*cdkd data prepare"):
            video.read_gop(0, [1], reference=MotionReference.FRAME_BEFORE)


def test_opening_a_refused_stream_raises_its_obstacle(tmp_path: Path) -> None:
    path = write_stream(tmp_path / "a.mp4", moving_texture(12), "libx264", {"bf": "2"})
    with pytest.raises(VideoError) as caught:
        VideoReader(path)
    assert caught.value.reason == describe(path).unsupported_reason
