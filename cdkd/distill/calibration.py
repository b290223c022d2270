"""Units of losses: with them a weight means the same pull on the student's streams, however wide these are.

Left as they are, losses change their strength with the width of the networks: when a training starts, Eq. 4 pulls at
slim streams 35 times as strongly as the cross-entropy and at ResNet-50 streams 7 times, and Eq. 6 changes by another
factor, which depends on the clips too (docs/loss-weights.md). One pair of weights is then another compromise at every
width. So:

    pull of a loss     ||gradient of the loss|| / ||gradient of the cross-entropy||, over all weights of the streams
    unit of a loss     its constant `LossSettings.pull` / the median of its pulls over the first updates' batches
    Eq. 7              cross-entropy + sum of weight x unit x loss

Units are measured with the initial weights, before the first update, and stay what they are: the objective of a
training is one function from its first step to its last.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from cdkd.distill.losses.table import DistillSettings
from cdkd.errors import CdkdError

CROSS_ENTROPY = "cross_entropy"
"""What the objective calls the loss that all others are measured by."""


class CalibrationError(CdkdError):
    """A loss has no unit, since it does not pull at the streams when the training starts."""


@dataclass(frozen=True)
class LossUnits:
    """What calibrated losses are multiplied by beside their weights; fixed once."""

    wanted: Mapping[str, float]
    """The pull that each calibrated loss is to have at weight 1, by name."""
    values: dict[str, float] = field(default_factory=dict)
    """The units by name; empty until they are fixed."""

    @classmethod
    def of(cls, settings: DistillSettings) -> "LossUnits":
        """Those of the losses that take part and are calibrated, not fixed yet."""
        return cls({name: loss.pull for name, loss in settings.calibrated.items()})

    def fix(self, norms: Sequence[Mapping[str, float]]) -> None:
        """Makes the units of what was measured.

        Args:
            norms: for each of the first updates the norm of the gradient on the streams, of `CROSS_ENTROPY` and of each
                wanted loss, by name.

        Raises:
            CalibrationError: a loss has no gradient there, or none that is a number.
        """
        self.values.update({name: pull / median_pull(name, norms) for name, pull in self.wanted.items()})


def median_pull(name: str, norms: Sequence[Mapping[str, float]]) -> float:
    """The pull of a loss, over the updates in which both gradients are numbers above zero.

    Of an even number of updates the mean of the middle two.

    Args:
        name: the loss.
        norms: as of `LossUnits.fix`.

    Raises:
        CalibrationError: there is no such update.
    """
    # The median: one odd batch, say of clips in which nothing moves, must not set a unit for good.
    pulls = [norm[name] / norm[CROSS_ENTROPY] for norm in norms if _is_usable(norm[name], norm[CROSS_ENTROPY])]
    if not pulls:
        raise CalibrationError(
            f"distill.{name}: it pulls at no weight of the streams in the first {len(norms)} updates "
            f"(norms of its gradient and of the cross-entropy's: {_texts(name, norms)}), so that its weight has no "
            f"meaning there; switch it off, or set distill.calibration=none"
        )
    return median(pulls)


def _is_usable(*norms: float) -> bool:
    return all(math.isfinite(norm) and norm > 0 for norm in norms)


def _texts(name: str, norms: Sequence[Mapping[str, float]]) -> str:
    return ", ".join(f"{norm[name]:.3g} / {norm[CROSS_ENTROPY]:.3g}" for norm in norms[:2]) or "none"
