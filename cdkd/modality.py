"""The one table of what differs from modality to modality, and what motion and residual can be.

Legend of axis letters, used by every docstring of the package:

    B clips of a batch   G groups of pictures (GOPs) per clip   P P-frames per GOP   T = G * P time steps
    F raw frames read at once: those of a window around a time step, or those asked for of a GOP
    C channels   H height   W width   K classes   D features
    L positions of a map in reading order, L = H * W
    N, M any other number, such as pictures of all clips in one axis (N = B * T), each said where it is used

A letter with a dash, such as H', is the same axis after a resize or a stride.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

MOTION_UNITS_PER_PIXEL = 4
"""Motion fields are int16 in quarter pixels, the finest unit of MPEG-4 and H.264."""


class MotionReference(StrEnum):
    """The frame that motion and residual of a P-frame are relative to; the value is that of `data.motion`."""

    IFRAME = "accumulated"
    """The GOP's I-frame: vectors are chained, predictions follow from predictions."""
    FRAME_BEFORE = "per_frame"
    """The I- or P-frame before, as the codec itself counts."""


class ResidualKind(StrEnum):
    """What is taken away from a frame to leave its residual; the value is that of `data.residual`."""

    EXACT = "exact"
    """The prediction by sub-pixel vectors: MPEG-4's own, to the bit."""
    COVIAR = "coviar"
    """CoViAR's: the reference warped by vectors that are cut to whole pixels."""


@dataclass(frozen=True)
class PFrameForm:
    """What motion and residual of a P-frame mean."""

    reference: MotionReference = MotionReference.IFRAME
    residual: ResidualKind = ResidualKind.EXACT

    @classmethod
    def named(cls, motion: str, residual: str) -> Self:
        """By the values of `data.motion` and `data.residual`.

        Raises:
            ValueError: there is no such value.
        """
        return cls(MotionReference(motion), ResidualKind(residual))


DEFAULT_FORM = PFrameForm()
"""What is meant where nobody says anything else."""


@dataclass(frozen=True)
class Modality:
    """How one kind of picture is normalised and what geometry does to its values."""

    num_channels: int
    scale: float
    """Stored integers are divided by this first."""
    limit: float | None
    """Then clipped to +-limit; None leaves them."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    is_displacement: bool = False
    """True: channel 0 is an x displacement (a flip negates it) and both channels grow with a resize."""


_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)

IFRAME = Modality(3, 255.0, None, _IMAGENET_MEAN, _IMAGENET_STD)
FRAME = Modality(3, 255.0, None, _IMAGENET_MEAN, _IMAGENET_STD)
# Clipping at 20 pixels and at 128 grey levels is what CoViAR and its successors do.
MOTION = Modality(2, float(MOTION_UNITS_PER_PIXEL), 20.0, (0.0, 0.0), (4.0, 4.0), is_displacement=True)
RESIDUAL = Modality(3, 1.0, 128.0, (0.0, 0.0, 0.0), (32.0, 32.0, 32.0))
