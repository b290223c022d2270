"""Units of losses: from norms of gradients, by hand."""

import math

import pytest

from cdkd.distill.calibration import CROSS_ENTROPY, CalibrationError, LossUnits
from cdkd.distill.losses.logits import LogitsSettings
from cdkd.distill.losses.spatial import SpatialSettings
from cdkd.distill.losses.table import DistillSettings
from cdkd.distill.losses.temporal import TemporalSettings


def norms(*pairs: tuple[float, float]) -> list[dict[str, float]]:
    """(of the loss "a", of the cross-entropy) for each update."""
    return [{"a": loss, CROSS_ENTROPY: entropy} for loss, entropy in pairs]


def test_a_unit_is_the_wanted_pull_over_the_median_of_the_measured_ones() -> None:
    units = LossUnits({"a": 12.0})
    # Pulls of 2, 3 and 100: one odd batch does not set the unit.
    units.fix(norms((4.0, 2.0), (9.0, 3.0), (100.0, 1.0)))
    assert units.values == {"a": 4.0}


def test_updates_without_a_usable_gradient_do_not_count() -> None:
    units = LossUnits({"a": 6.0})
    units.fix(norms((math.inf, 1.0), (1.0, 0.0), (0.0, 1.0), (math.nan, 1.0), (1.0, 2.0)))
    assert units.values == {"a": 12.0}


def test_a_loss_that_does_not_pull_is_refused_by_name_with_a_remedy() -> None:
    message = r"distill\.a: .* in the first 2 updates .*0 / 1, 0 / 2.*distill\.calibration=none"
    with pytest.raises(CalibrationError, match=message):
        LossUnits({"a": 1.0}).fix(norms((0.0, 1.0), (0.0, 2.0)))


def test_literal_forms_stay_as_printed_unless_asked_for() -> None:
    printed = {"spatial": SpatialSettings(form="literal"), "temporal": TemporalSettings(form="literal")}
    assert LossUnits.of(DistillSettings()).wanted == {
        "spatial": SpatialSettings.pull,
        "temporal": TemporalSettings.pull,
    }
    assert LossUnits.of(DistillSettings(**printed)).wanted == {}
    assert list(LossUnits.of(DistillSettings(**printed, calibration="pull")).wanted) == ["spatial", "temporal"]
    assert LossUnits.of(DistillSettings(calibration="none")).wanted == {}


def test_a_loss_that_takes_no_part_is_not_measured() -> None:
    settings = DistillSettings(spatial=SpatialSettings(weight=0.0), logits=LogitsSettings(enabled=True))
    assert list(LossUnits.of(settings).wanted) == ["temporal", "logits"]
