"""The one table of what differs from modality to modality.

Legend of axis letters, used by every docstring of the package:

    B batch   G groups of pictures (GOPs) per clip   P P-frames per GOP   T = G * P   W frames per window
    C channels   H height   W width   K classes   D features
"""

from dataclasses import dataclass

MOTION_UNITS_PER_PIXEL = 4
"""Motion fields are int16 in quarter pixels, the finest unit of MPEG-4 and H.264."""


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
