"""A clip: the arrays of its GOPs, one record per clip or per batch."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cdkd.data.clips.sampling import ClipLayout, GopPositions, gop_positions
from cdkd.modality import PFrameForm
from cdkd.video.reader import VideoReader


@dataclass(frozen=True)
class ClipBatch:
    """B clips as stored integers; N motion frames and M raw frames per clip, found through the windows.

    iframes (B, G, 3, H, W) uint8; motion (B, N, 2, H, W) int16 quarter pixels; residual (B, N, 3, H, W) int16;
    frames (B, M, 3, H, W) uint8; motion_windows (B, T, F) int64 indices into N; frame_windows (B, T, F') into M;
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
        # From pinned memory the copy runs beside the processor's work; elsewhere it is an ordinary one.
        moved = {field.name: getattr(self, field.name).to(device, non_blocking=True) for field in fields(self)}
        return ClipBatch(**moved)

    def pin_memory(self) -> "ClipBatch":
        """The same batch in memory that a GPU copies from while the processor works on."""
        return ClipBatch(**{field.name: getattr(self, field.name).pin_memory() for field in fields(self)})

    def clip(self, index: int) -> "ClipBatch":
        """One clip as a batch of its own, in memory of its own."""
        return ClipBatch(**{f.name: getattr(self, f.name)[index : index + 1].clone() for f in fields(self)})

    @property
    def num_bytes(self) -> int:
        """Memory of all arrays."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))


@dataclass(frozen=True)
class GopArrays:
    """What a clip needs of one GOP, channels first.

    iframe (3, H, W) uint8; motion (N, 2, H, W) int16 quarter pixels; residual (N, 3, H, W) int16; frames (M, 3, H, W)
    uint8; N and M as in `positions`.
    """

    iframe: NDArray[np.uint8]
    motion: NDArray[np.int16]
    residual: NDArray[np.int16]
    frames: NDArray[np.uint8]
    positions: GopPositions


def read_clip(
    path: Path, gops: Sequence[int], layout: ClipLayout, form: PFrameForm, label: int, video: int
) -> ClipBatch:
    """One clip of a file as a batch of one.

    Raises:
        VideoError: the file cannot be read, or a GOP is shorter than the layout needs.
    """
    with VideoReader(path) as reader:
        lengths = reader.info.gop_lengths
        read = [_read_gop(reader, gop, gop_positions(lengths[gop], layout), form) for gop in gops]
    return clip_of(read, label, video)


def _read_gop(reader: VideoReader, gop: int, positions: GopPositions, form: PFrameForm) -> GopArrays:
    read = reader.read_gop(gop, positions.motion, positions.frames, form.reference, form.residual)
    return GopArrays(
        iframe=read.iframe.transpose(2, 0, 1),
        motion=read.motion.transpose(0, 3, 1, 2),
        residual=read.residual.transpose(0, 3, 1, 2),
        frames=read.frames.transpose(0, 3, 1, 2),
        positions=positions,
    )


def clip_of(gops: Sequence[GopArrays], label: int, video: int) -> ClipBatch:
    """The GOPs of one clip as a batch of one; may share their memory."""
    # Each GOP's windows count from its own first row; in the clip they lie behind those of the GOPs before:
    #
    #   GOP            0         1
    #   its windows    0 1 2     0 1 2
    #   motion rows    0 1 2     3 4 5      offset num_motion = 3
    motion_windows, frame_windows = [], []
    num_motion = num_frames = 0
    for gop in gops:
        motion_windows.append(np.array(gop.positions.motion_windows, dtype=np.int64) + num_motion)
        frame_windows.append(np.array(gop.positions.frame_windows, dtype=np.int64) + num_frames)
        num_motion += gop.motion.shape[0]
        num_frames += gop.frames.shape[0]
    return ClipBatch(
        iframes=_joined([gop.iframe[None] for gop in gops]),
        motion=_joined([gop.motion for gop in gops]),
        residual=_joined([gop.residual for gop in gops]),
        frames=_joined([gop.frames for gop in gops]),
        motion_windows=_joined(motion_windows),
        frame_windows=_joined(frame_windows),
        labels=torch.tensor([label]),
        videos=torch.tensor([video]),
    )


def _joined(arrays: Sequence[NDArray[Any]]) -> Tensor:
    # A clip of one GOP, the paper's, is not copied: its memory lies channel by channel, as the reader and the cache
    # leave it.
    joined = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
    return torch.from_numpy(np.ascontiguousarray(joined))[None]


def join_clips(clips: Sequence[ClipBatch]) -> ClipBatch:
    """Clips of equal layout and picture size as one batch.

    Raises:
        ValueError: the sizes differ; the text shows both.
    """
    for field in fields(ClipBatch):
        # Asked first, since `torch.cat` would name neither the field nor what to do.
        shapes = {tuple(getattr(clip, field.name).shape[1:]) for clip in clips}
        if len(shapes) > 1:
            raise ValueError(f"clips of different sizes cannot share a batch: {field.name} {sorted(shapes)}")
    return ClipBatch(**{f.name: torch.cat([getattr(clip, f.name) for clip in clips]) for f in fields(ClipBatch)})
