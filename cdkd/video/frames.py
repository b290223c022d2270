"""What passes from the reader to the rest: shape-checked records and the one error of unreadable video.

Axis letters here: `P` P-frames asked for, `M` raw frames asked for, `H` height, `W` width.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cdkd.errors import CdkdError
from cdkd.modality import MOTION_UNITS_PER_PIXEL, MotionReference, ResidualKind

__all__ = ["MOTION_UNITS_PER_PIXEL", "GopRead", "StreamInfo", "VideoError"]


class VideoError(CdkdError):
    """A video cannot be read or written as asked; the text holds the path, the reason and the remedy."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = Path(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type["VideoError"], tuple[Path, str]]:
        # Worker processes send errors by pickle, which would call the class with the joined text alone.
        return type(self), (self.path, self.reason)


@dataclass(frozen=True)
class StreamInfo:
    """One video stream as its container, headers and packets describe it."""

    path: Path
    codec: str
    """FFmpeg's codec name, e.g. `mpeg4` or `h264`."""
    profile: str
    container: str
    """FFmpeg's name of the container format."""
    pixel_format: str
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    frames_per_second: float
    num_frames: int
    gop_lengths: tuple[int, ...]
    """Frames of each group of pictures, its key frame included, in display order."""
    frame_types: tuple[str, ...]
    """Each GOP's picture types in display order, e.g. `IPPP`; empty where headers do not tell (not MPEG-4)."""
    has_b_frames: bool
    unsupported_reason: str
    """Why motion and residual cannot be read, with the remedy; empty: they can."""
    frame_residual_unsupported_reason: str
    """The same for exact residuals relative to the frame before."""

    @property
    def num_gops(self) -> int:
        """Groups of pictures in the file."""
        return len(self.gop_lengths)

    def unsupported_residual_reason(self, reference: MotionReference, residual: ResidualKind | None) -> str:
        """Why such residuals cannot be read, with the remedy; empty: they can."""
        if residual is ResidualKind.EXACT and reference is MotionReference.FRAME_BEFORE:
            return self.frame_residual_unsupported_reason
        return self.unsupported_reason


@dataclass(frozen=True, eq=False)
class GopRead:
    """What was asked of one group of pictures.

    Arrays are indexed channel-last; their memory lies channel by channel, as networks want it, so that
    `array.transpose(0, 3, 1, 2)` is contiguous.

    Raises:
        ValueError: an array has another shape or type than the others require; both are in the text.
    """

    iframe: NDArray[np.uint8]
    """(H, W, 3) RGB key frame."""
    motion: NDArray[np.int16]
    """(P, H, W, 2) quarter pixels, x then y: a pixel at x comes from x - motion in the reference frame."""
    residual: NDArray[np.int16]
    """(P, H, W, 3) RGB: decoded frame minus its prediction, not clipped; (0, H, W, 3) if not asked for."""
    intra: NDArray[np.bool_]
    """(P, ceil(H / 8), ceil(W / 8)): blocks of 8 x 8 pixels that the codec did not predict from another frame. They
    count as standing still: motion and prediction are those of the frame before, the residual holds what changed."""
    frames: NDArray[np.uint8]
    """(M, H, W, 3) RGB decoded frames."""
    positions: tuple[int, ...]
    """Position in the GOP (0 is the key frame) of each P entry."""
    frame_positions: tuple[int, ...]
    """Position in the GOP of each F entry."""

    def __post_init__(self) -> None:
        height, width = self.iframe.shape[:2]
        num_p, num_m = len(self.positions), len(self.frame_positions)
        num_residuals = num_p if len(self.residual) else 0
        expected: dict[str, tuple[tuple[int, ...], type]] = {
            "iframe": ((height, width, 3), np.uint8),
            "motion": ((num_p, height, width, 2), np.int16),
            "residual": ((num_residuals, height, width, 3), np.int16),
            "intra": ((num_p, -(-height // 8), -(-width // 8)), np.bool_),
            "frames": ((num_m, height, width, 3), np.uint8),
        }
        for name, (shape, kind) in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != kind:
                raise ValueError(f"GopRead.{name}: expected {shape} {np.dtype(kind)}, got {array.shape} {array.dtype}")
