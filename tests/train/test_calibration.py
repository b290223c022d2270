"""Measuring how losses pull: on a network whose gradients are known, under all that a training may do."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cdkd.distill.calibration import CROSS_ENTROPY, LossUnits
from cdkd.train.calibration import NUM_UPDATES, Calibration, Conditions, calibrate
from cdkd.train.processes import ALONE


class Measured:
    """A network of one weight vector w; cross-entropy x.w, so that its gradient is x, and a loss of `factor` times it.

    Its batch norm must not count what is measured.
    """

    def __init__(self, factor: float = 3.0) -> None:
        self.network = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5), nn.Linear(2, 1, bias=False)).train()
        self.weight = self.network[2].weight
        self.factor = factor
        self.steps: list[int] = []
        self.units = LossUnits({"a": 6.0})

    def parts(self, batch: Tensor, step: int) -> Mapping[str, Tensor]:
        self.steps.append(step)
        self.network(torch.randn(4, 2))
        product = (self.weight * batch).sum()
        return {CROSS_ENTROPY: product, "a": self.factor * product, "not wanted": product * float("nan")}

    def calibrate(self, batches: list[Tensor], **changes: Any) -> bool:
        conditions = {"seed": 0, "processes": ALONE, "autocast": nullcontext, "is_half": False, "accumulate_steps": 1}
        calibration = Calibration(self.units, self.parts, [self.weight])  # type: ignore[arg-type]
        return calibrate(calibration, self.network, batches, len(batches), Conditions(**{**conditions, **changes}))  # type: ignore[arg-type]


BATCHES = [torch.tensor([3.0, 4.0]), torch.tensor([1.0, -2.0]), torch.tensor([0.5, 0.0])]


def test_the_unit_brings_the_pull_to_what_is_wanted_and_leaves_the_network_alone() -> None:
    measured = Measured()
    before = {name: tensor.clone() for name, tensor in measured.network.state_dict().items()}
    assert measured.calibrate(BATCHES)
    assert measured.units.values == pytest.approx({"a": 2.0})
    assert measured.weight.grad is None and measured.network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in measured.network.state_dict().items())
    assert measured.network[0].momentum == 0.1


def test_the_first_updates_alone_are_measured() -> None:
    measured = Measured()
    measured.calibrate(BATCHES * 10, accumulate_steps=2)
    assert measured.steps == list(range(2 * NUM_UPDATES))


def test_an_updates_gradient_counts_and_not_each_batchs() -> None:
    # Two batches of opposite noise: together their cross-entropy pulls with (2, 0), the loss with (2, 6).
    class Noisy(Measured):
        def parts(self, batch: Tensor, step: int) -> Mapping[str, Tensor]:
            noise = torch.tensor([0.0, 5.0 if step % 2 else -5.0])
            own = torch.tensor([1.0, 3.0])
            return {CROSS_ENTROPY: (self.weight * (batch + noise)).sum(), "a": (self.weight * own).sum()}

    measured = Noisy()
    assert measured.calibrate([torch.tensor([1.0, 0.0])] * 4, accumulate_steps=2)
    assert measured.units.values == pytest.approx({"a": 6.0 * 2 / 40**0.5})


@pytest.mark.parametrize("factor", [1e-7, 60000.0])
def test_gradients_that_half_precision_would_lose_are_measured_at_a_scale(factor: float) -> None:
    class Half(Measured):
        def parts(self, batch: Tensor, step: int) -> Mapping[str, Tensor]:
            # The gradient of `a` passes through fp16, whose smallest number is 6e-8 and whose largest 65504.
            halved = (self.weight * batch).half().float()
            return {CROSS_ENTROPY: (self.weight * batch).sum(), "a": (halved * factor).sum()}

    measured = Half()
    assert measured.calibrate(BATCHES[:1], is_half=True)
    assert measured.units.values == pytest.approx({"a": 6.0 / factor}, rel=1e-2)


def test_a_loss_that_is_not_finite_has_no_unit() -> None:
    measured = Measured(factor=float("inf"))
    assert not measured.calibrate(BATCHES)
    assert measured.units.values == {}
