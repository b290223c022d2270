"""How fast the reader is, as ratios of medians against plain decoding and named alternatives in one run."""

import gc
import importlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from cdkd.bench.coviar import load
from cdkd.modality import ResidualKind
from cdkd.video.frames import VideoError
from cdkd.video.index import index_video
from cdkd.video.reader import VideoReader, read_gop
from cdkd.video.transcode import encode_frames

_GOP_FRAMES = 12
_SECONDS_PER_FIGURE = 0.25
_TARGETS = {
    "I-frames, motion, residual": 3.0,
    "I-frames, motion": 1.4,
    "clip of 6 P-frames": 1.5,
}
"""The most that a row may cost, in units of its group's first row."""


@dataclass(frozen=True)
class Row:
    """One way of reading, measured."""

    video: str
    group: str
    name: str
    milliseconds: float
    """Median of all repeats; processor time, which other processes on the machine disturb least."""
    ratio: float
    """To the group's first row."""
    target: float | None
    """The ratio promised, where one is."""


@dataclass(frozen=True)
class Memory:
    """What one data loader process holds."""

    video: str
    start_mib: float
    """Resident after importing the reader."""
    peak_mib: float
    """Highest during 200 clips."""


Case = tuple[str, Callable[[], object]]


def measure(paths: Sequence[Path], repeats: int) -> list[Row]:
    """All rows of all videos; each group's cases take turns, so that a busy moment hits them all.

    Raises:
        VideoError: a video cannot be read.
    """
    rows = []
    for path in paths:
        groups = [("whole file", whole_file_cases(path))]
        gop = _middle_gop(path)
        if gop is None:
            raise VideoError(path, f"has no GOP of {_GOP_FRAMES} I- and P-frames, which the clip benchmark needs")
        groups += [("training clip", clip_cases(path, gop)), ("raw frames of the clip", frame_cases(path, gop))]
        for group, cases in groups:
            rows += _measure_group(path.name, group, cases, repeats)
    return rows


def _measure_group(video: str, group: str, cases: Sequence[Case], repeats: int) -> list[Row]:
    passes = {name: _num_passes(run) for name, run in cases}
    times: dict[str, list[float]] = {name: [] for name, _ in cases}
    for _ in range(repeats):
        for name, run in cases:
            # The garbage of one case must not be collected at the cost of the next.
            gc.collect()
            # Each case starts as it goes on in a data loader: with the caches its own, not the case's before it.
            run()
            start = time.process_time()
            for _ in range(passes[name]):
                run()
            times[name].append(1e3 * (time.process_time() - start) / passes[name])
    medians = {name: statistics.median(values) for name, values in times.items()}
    first = medians[cases[0][0]]
    return [Row(video, group, name, value, value / first, _TARGETS.get(name)) for name, value in medians.items()]


def _num_passes(run: Callable[[], object]) -> int:
    """How often a case is run for one figure; the first run ever, which compiles, is not looked at."""
    run()
    start = time.process_time()
    run()
    return max(1, round(_SECONDS_PER_FIGURE / max(time.process_time() - start, 1e-3)))


def whole_file_cases(path: Path) -> list[Case]:
    """Every P-frame of the file."""
    cases: list[Case] = [
        ("FFmpeg, plain decode", lambda: _decode(path)),
        ("I-frames, motion", lambda: _read_all(path, None)),
        ("I-frames, motion, residual", lambda: _read_all(path, ResidualKind.EXACT)),
    ]
    vectors = _import("mvextractor.videocap")
    if vectors:
        cases.append(("motion-vector-extractor: frames, motion", lambda: _extract(vectors, path)))
    return cases


def clip_cases(path: Path, gop: int) -> list[Case]:
    """The paper's sample: one GOP, its I-frame and 6 P-frames, from opening the file to closing it."""
    key_time = index_video(path).key_times[gop]
    positions = range(1, _GOP_FRAMES, 2)

    def coviar() -> None:
        for position in positions:
            for representation in ("motion", "residual"):
                load(path, key_time, position, representation)

    return [
        ("FFmpeg, plain decode of that GOP twice", lambda: [_decode(path, key_time) for _ in range(2)]),
        ("clip of 6 P-frames", lambda: read_gop(path, gop, positions)),
        ("the same, with the teacher's frames", lambda: read_gop(path, gop, positions, positions)),
        ("the same clip with CoViAR's residual", lambda: read_gop(path, gop, positions, residual=ResidualKind.COVIAR)),
        ("CoViAR's scheme in numpy", coviar),
    ]


def frame_cases(path: Path, gop: int) -> list[Case]:
    """The teacher's frames alone, as RGB."""
    first = sum(index_video(path).info.gop_lengths[:gop])
    positions = range(1, _GOP_FRAMES, 2)
    cases: list[Case] = [("raw frames", lambda: read_gop(path, gop, (), positions))]
    decord = _import("decord")
    if decord:

        def by_decord() -> object:
            reader = decord.VideoReader(str(path), num_threads=1)
            return reader.get_batch([first + position for position in positions]).asnumpy()

        cases.append(("decord", by_decord))
    return cases


def _import(name: str) -> Any:
    """An optional rival, None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _decode(path: Path, key_time: int | None = None) -> int:
    """The whole file, or the GOP at `key_time`; returns the number of frames."""
    count = 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        if key_time is not None:
            container.seek(key_time, stream=stream)
        for _ in container.decode(stream):
            count += 1
            if key_time is not None and count == _GOP_FRAMES:
                break
    return count


def _read_all(path: Path, residual: ResidualKind | None) -> None:
    with VideoReader(path) as video:
        for _ in video.iter_gops(residual=residual):
            pass


def _extract(module: Any, path: Path) -> None:
    capture = module.VideoCap()
    capture.open(str(path))
    while capture.read()[0]:
        pass
    capture.release()


def _middle_gop(path: Path) -> int | None:
    info = index_video(path).info
    if info.unsupported_reason:
        raise VideoError(path, info.unsupported_reason)
    fitting = [gop for gop, length in enumerate(info.gop_lengths) if length >= _GOP_FRAMES]
    fitting = [gop for gop in fitting if not info.frame_types or "B" not in info.frame_types[gop]]
    return fitting[len(fitting) // 2] if fitting else None


_WORKER = """
import pathlib, resource, sys
from cdkd.video.reader import read_gop

def peak_kib():
    # Linux hands getrusage's maximum on from the parent process; /proc starts afresh.
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)

start = peak_kib()
for _ in range(200):
    read_gop(sys.argv[1], int(sys.argv[2]), range(1, 12, 2), range(1, 12, 2))
print(start, peak_kib())
"""


def measure_memory(path: Path) -> Memory:
    """A fresh process reads 200 clips with the teacher's frames."""
    gop = _middle_gop(path)
    command = [sys.executable, "-c", _WORKER, str(path), str(gop)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    start, peak = (int(value) / 1024 for value in run.stdout.split())
    return Memory(path.name, start, peak)


def write_sample(path: Path, width: int = 320) -> None:
    """240 frames, 256 pixels high: a drifting camera over texture, two objects that cross it, sensor noise."""
    draw = np.random.default_rng(0)
    texture: Any = draw.integers(40, 216, (48, 64, 3)).repeat(12, 0).repeat(12, 1).astype(np.float32)
    for axis in (0, 1):
        texture = sum(np.roll(texture, shift, axis) for shift in range(12)) / 12
    objects = [draw.integers(0, 256, (60, 50, 3)), draw.integers(0, 256, (40, 80, 3))]

    def frames() -> Any:
        for t in range(240):
            top, left = int(60 + 40 * np.sin(t / 40)), int(80 + 60 * np.cos(t / 30))
            frame = texture[top : top + 256, left : left + width].copy()
            for index, thing in enumerate(objects):
                y, x = 60 + 80 * index, (3 - 5 * index) * t % 240
                frame[y : y + thing.shape[0], x : x + thing.shape[1]] = thing
            frame += draw.normal(0, 2, frame.shape)
            yield frame.clip(0, 255).astype(np.uint8)

    encode_frames(path, frames(), frames_per_second=25)
