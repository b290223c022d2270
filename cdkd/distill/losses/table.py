"""The table of losses: one line each."""

from typing import Any, Literal

from cdkd.config import Record
from cdkd.distill.losses.attention_transfer import AttentionTransferSettings
from cdkd.distill.losses.decoupled import DecoupledSettings
from cdkd.distill.losses.dist import DistSettings
from cdkd.distill.losses.logits import LogitsSettings
from cdkd.distill.losses.loss import LossSettings, Need
from cdkd.distill.losses.mgd import MgdSettings
from cdkd.distill.losses.relational import RelationalSettings
from cdkd.distill.losses.spatial import SpatialSettings
from cdkd.distill.losses.standardised_logits import StandardisedLogitsSettings
from cdkd.distill.losses.temporal import TemporalSettings


class DistillSettings(Record):
    """What the student learns from the teacher beside the labels, Eq. 7."""

    spatial: SpatialSettings = SpatialSettings()
    temporal: TemporalSettings = TemporalSettings()
    logits: LogitsSettings = LogitsSettings()
    attention_transfer: AttentionTransferSettings = AttentionTransferSettings()
    relational: RelationalSettings = RelationalSettings()
    decoupled: DecoupledSettings = DecoupledSettings()
    standardised_logits: StandardisedLogitsSettings = StandardisedLogitsSettings()
    dist: DistSettings = DistSettings()
    mgd: MgdSettings = MgdSettings()

    calibration: Literal["auto", "pull", "none"] = "auto"
    """What weights are relative to. pull: each loss gets a unit, measured on the first batches, so that its weight
    counts pulls of the cross-entropy on the streams, times a constant of the loss, at every width; none: the losses as
    they are; auto: pull for all but literal forms, which stay as printed."""

    @property
    def calibrated(self) -> dict[str, LossSettings]:
        """The losses that take part and have a unit, by name."""
        if self.calibration == "none":
            return {}
        return {name: loss for name, loss in self.used.items() if self.calibration == "pull" or not loss.is_literal}

    @property
    def used(self) -> dict[str, LossSettings]:
        """The losses that take part, by name."""
        losses: dict[str, LossSettings] = {name: getattr(self, name) for name in LOSSES}
        return {name: loss for name, loss in losses.items() if loss.is_used}

    def used_that_need(self, what: Need) -> list[str]:
        """Names of the losses that take part and need something of the run."""
        return [name for name, loss in self.used.items() if what in loss.needs]


LOSSES: dict[str, type[LossSettings]] = {
    name: field.annotation
    for name, field in DistillSettings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, LossSettings)
}
"""Every loss by its name below `distill`."""

ALL_OFF: dict[str, Any] = {f"distill.{name}.enabled": False for name in LOSSES}
"""The settings of a run without distillation, by dotted key."""
