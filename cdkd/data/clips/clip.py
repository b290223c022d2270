"""A clip: the arrays of its GOPs, one record per clip or per batch."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cdkd.data.clips.sampling import ClipLayout, ClipSteps, merge_groups
from cdkd.data.clips.windows import GopPositions, Windows, gop_positions
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
        return ClipBatch(**{field.name: to_device(getattr(self, field.name), device) for field in fields(self)})

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


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The same numbers on a device, where copying them to a GPU does not make the processor wait.

    Only from pinned memory does a copy run beside the processor's work; from elsewhere it waits for all that the GPU
    still has to do.
    """
    if device.type != "cuda":
        return tensor.to(device)
    return (tensor if tensor.is_pinned() or tensor.is_cuda else tensor.pin_memory()).to(device, non_blocking=True)


@dataclass(frozen=True)
class GopArrays:
    """What a clip needs of one GOP, channels first.

    iframe (3, H, W) uint8; motion (N, 2, H, W) int16 quarter pixels; residual (N, 3, H, W) int16; frames (M, 3, H, W)
    uint8; N and M as in `positions`.
    """

    gop: int
    """Its number in the file."""
    iframe: NDArray[np.uint8]
    motion: NDArray[np.int16]
    residual: NDArray[np.int16]
    frames: NDArray[np.uint8]
    positions: GopPositions


def read_clip(path: Path, steps: ClipSteps, layout: ClipLayout, form: PFrameForm, label: int, video: int) -> ClipBatch:
    """One clip of a file as a batch of one; each of its GOPs is decoded once, and no further than its last step.

    Raises:
        VideoError: the file cannot be read, or a GOP is shorter than the steps need.
    """
    with VideoReader(path) as reader:
        lengths = reader.info.gop_lengths
        read = [
            _read_gop(
                reader,
                part.gop,
                gop_positions(lengths[part.gop], part.positions, layout.student_window, layout.teacher_window),
                form,
            )
            for part in merge_groups(steps)
        ]
    return clip_of(read, steps, label, video)


def _read_gop(reader: VideoReader, gop: int, positions: GopPositions, form: PFrameForm) -> GopArrays:
    read = reader.read_gop(gop, positions.motion, positions.frames, form.reference, form.residual)
    return GopArrays(
        gop=gop,
        iframe=read.iframe.transpose(2, 0, 1),
        motion=read.motion.transpose(0, 3, 1, 2),
        residual=read.residual.transpose(0, 3, 1, 2),
        frames=read.frames.transpose(0, 3, 1, 2),
        positions=positions,
    )


def clip_of(gops: Sequence[GopArrays], steps: ClipSteps, label: int, video: int) -> ClipBatch:
    """A clip as a batch of one, from what was read of its GOPs; may share their memory.

    Args:
        gops: one per GOP, read at the positions of `merge_groups(steps)`, in its order.
        steps: of the clip.
        label: of the video.
        video: its place in its part of the data set.
    """
    # Each GOP's windows count from its own first row; in the clip they lie behind those of the GOPs before:
    #
    #   GOP            0         1
    #   its windows    0 1 2     0 1 2
    #   motion rows    0 1 2     3 4 5      offset num_motion = 3
    iframes: dict[int, NDArray[np.uint8]] = {}
    motion_windows, frame_windows = [], []
    num_motion = num_frames = 0
    for read in gops:
        iframes[read.gop] = read.iframe
        motion_windows.append(_behind(read.positions.motion_windows, num_motion))
        frame_windows.append(_behind(read.positions.frame_windows, num_frames))
        num_motion += read.motion.shape[0]
        num_frames += read.frames.shape[0]
    order = [read.gop for read in gops]
    return ClipBatch(
        iframes=_joined([iframes[group.gop][None] for group in steps]),
        motion=_joined([read.motion for read in gops]),
        residual=_joined([read.residual for read in gops]),
        frames=_joined([read.frames for read in gops]),
        motion_windows=_in_time(order, motion_windows, steps),
        frame_windows=_in_time(order, frame_windows, steps),
        labels=torch.tensor([label]),
        videos=torch.tensor([video]),
    )


def _behind(windows: Windows, num_rows: int) -> NDArray[np.int64]:
    return np.array(windows, dtype=np.int64) + num_rows


def _in_time(order: Sequence[int], windows: Sequence[NDArray[np.int64]], steps: ClipSteps) -> Tensor:
    """Windows (1, T, F), of which each GOP has those of all its groups, in the order of the clip's groups."""
    left = {gop: iter(rows) for gop, rows in zip(order, windows, strict=True)}
    rows = [row for group in steps for row in islice(left[group.gop], len(group.positions))]
    return torch.from_numpy(np.stack(rows))[None]


def _joined(arrays: Sequence[NDArray[Any]]) -> Tensor:
    # A clip of one GOP, the paper's, is not copied: its memory lies channel by channel, as the reader and the cache
    # leave it.
    joined = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
    return torch.from_numpy(np.ascontiguousarray(joined))[None]


_OF_ROWS = ("motion", "residual", "frames")
"""Fields whose axis 1 counts what was read, which the windows point into."""


def join_clips(clips: Sequence[ClipBatch]) -> ClipBatch:
    """Clips of equal layout and picture size as one batch.

    Windows that overlap, or reach over the end of a GOP, need fewer frames: such clips are filled up to the batch's N
    and M with zeros, at which no window points.

    Raises:
        ValueError: the sizes differ; the text shows both.
    """
    joined = {}
    for field in fields(ClipBatch):
        tensors = [getattr(clip, field.name) for clip in clips]
        # Asked first, since `torch.cat` would name neither the field nor what to do.
        shapes = {tuple(tensor.shape[1 + (field.name in _OF_ROWS) :]) for tensor in tensors}
        if len(shapes) > 1:
            raise ValueError(f"clips of different sizes cannot share a batch: {field.name} {sorted(shapes)}")
        joined[field.name] = torch.cat(_filled_up(tensors) if field.name in _OF_ROWS else tensors)
    return ClipBatch(**joined)


def _filled_up(tensors: Sequence[Tensor]) -> list[Tensor]:
    """(B, n, ...) with different n as (B, N, ...) with the largest."""
    num_rows = max(tensor.shape[1] for tensor in tensors)
    return [
        tensor
        if tensor.shape[1] == num_rows
        else torch.cat([tensor, tensor.new_zeros(len(tensor), num_rows - tensor.shape[1], *tensor.shape[2:])], dim=1)
        for tensor in tensors
    ]
