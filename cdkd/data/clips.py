"""A clip: the arrays of its GOPs, one record per clip or per batch."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cdkd.data.sampling import ClipLayout, index_windows, spread_positions, windows_around
from cdkd.video.frames import GopRead
from cdkd.video.reader import VideoReader


@dataclass(frozen=True)
class ClipBatch:
    """B clips as stored integers; N motion frames and M raw frames per clip, found through the windows.

    iframes (B, G, 3, H, W) uint8; motion (B, N, 2, H, W) int16 quarter pixels; residual (B, N, 3, H, W) int16;
    frames (B, M, 3, H, W) uint8; motion_windows (B, T, W) int64 indices into N; frame_windows (B, T, W') into M;
    labels (B,) int64; videos (B,) int64, the clip's place in its part of the data set.
    """

    iframes: Tensor
    motion: Tensor
    residual: Tensor
    frames: Tensor
    motion_windows: Tensor
    frame_windows: Tensor
    labels: Tensor
    videos: Tensor

    def __post_init__(self) -> None:
        batch = self.iframes.shape[0]
        for field in fields(self):
            tensor = getattr(self, field.name)
            if tensor.shape[0] != batch:
                raise ValueError(f"{field.name} {tuple(tensor.shape)}: batch axis differs from iframes' {batch}")
        if self.motion.shape[1] != self.residual.shape[1]:
            raise ValueError(f"motion {tuple(self.motion.shape)} and residual {tuple(self.residual.shape)} differ in N")

    def to(self, device: torch.device) -> "ClipBatch":
        """The same batch on a device."""
        moved = {field.name: getattr(self, field.name).to(device, non_blocking=True) for field in fields(self)}
        return ClipBatch(**moved)

    @property
    def num_bytes(self) -> int:
        """Memory of all arrays."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))


def read_clip(
    path: Path, gops: Sequence[int], layout: ClipLayout, accumulated: bool, label: int, video: int
) -> ClipBatch:
    """One clip of a file as a batch of one.

    Raises:
        VideoError: the file cannot be read, or a GOP is shorter than the layout needs.
    """
    with VideoReader(path) as reader:
        lengths = reader.info.gop_lengths
        reads = [_read_gop(reader, gop, lengths[gop], layout, accumulated) for gop in gops]
    motion_windows, frame_windows = [], []
    num_motion = num_frames = 0
    for read, motion_index, frame_index in reads:
        motion_windows.append(motion_index + num_motion)
        frame_windows.append(frame_index + num_frames)
        num_motion += read.motion.shape[0]
        num_frames += read.frames.shape[0]
    return ClipBatch(
        iframes=_channels_first([read.iframe[None] for read, _, _ in reads]),
        motion=_channels_first([read.motion for read, _, _ in reads]),
        residual=_channels_first([read.residual for read, _, _ in reads]),
        frames=_channels_first([read.frames for read, _, _ in reads]),
        motion_windows=torch.from_numpy(np.concatenate(motion_windows))[None],
        frame_windows=torch.from_numpy(np.concatenate(frame_windows))[None],
        labels=torch.tensor([label]),
        videos=torch.tensor([video]),
    )


def _read_gop(
    reader: VideoReader, gop: int, gop_length: int, layout: ClipLayout, accumulated: bool
) -> tuple[GopRead, NDArray[np.int64], NDArray[np.int64]]:
    stamps = spread_positions(gop_length, layout.frames_per_gop)
    positions, motion_index = index_windows(windows_around(stamps, layout.student_window, 1, gop_length - 1))
    frame_positions, frame_index = index_windows(windows_around(stamps, layout.teacher_window, 0, gop_length - 1))
    read = reader.read_gop(gop, positions, frame_positions, accumulated=accumulated)
    return read, np.array(motion_index, dtype=np.int64), np.array(frame_index, dtype=np.int64)


def _channels_first(arrays: Sequence[NDArray[Any]]) -> Tensor:
    joined = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
    return torch.from_numpy(np.ascontiguousarray(joined.transpose(0, 3, 1, 2)))[None]


def join_clips(clips: Sequence[ClipBatch]) -> ClipBatch:
    """Batches of equal layout and picture size as one batch.

    Raises:
        ValueError: the sizes differ; the text shows both.
    """
    for field in fields(ClipBatch):
        shapes = {tuple(getattr(clip, field.name).shape[1:]) for clip in clips}
        if len(shapes) > 1:
            raise ValueError(f"clips of different sizes cannot share a batch: {field.name} {sorted(shapes)}")
    return ClipBatch(**{f.name: torch.cat([getattr(clip, f.name) for clip in clips]) for f in fields(ClipBatch)})
