"""Eq. 4 against hand-computed cases."""

import pytest
import torch

from cdkd.distill.losses.spatial import NORMALISED_SCALE, gate_statistics, spatial_loss

# B = 1, T = 2, C = 2, H = 1, W = 3
STUDENT = torch.tensor([[[[[3.0, 0.0, 1.0]], [[4.0, 2.0, 0.0]]], [[[1.0, 1.0, 1.0]], [[0.0, 0.0, 0.0]]]]])
TEACHER = torch.tensor([[[[[0.0, 0.0, 1.0]], [[1.0, 2.0, 0.0]]], [[[0.0, 1.0, 5.0]], [[1.0, 0.0, 0.0]]]]])
GATE = torch.tensor([[0.5, 1.5]])


def test_literal_form_sums_squared_differences() -> None:
    # t = 0: 9 + 9 = 18; t = 1: 1 + 16 + 1 = 18.
    assert spatial_loss(STUDENT, TEACHER, GATE, "literal").item() == pytest.approx(0.5 * 18 + 1.5 * 18)


def test_mean_form_divides_by_channels_and_positions() -> None:
    assert spatial_loss(STUDENT, TEACHER, GATE, "mean").item() == pytest.approx((0.5 * 18 + 1.5 * 18) / 6)


def test_normalised_form_compares_directions_at_each_position() -> None:
    # t = 0: (3, 4)/5 against (0, 1): 0.36 + 0.04 = 0.4; the other two positions agree.
    # t = 1: (1, 0) against (0, 1): 2; (1, 0) against (1, 0): 0; (1, 0) against (5, 0)/5: 0.
    expected = NORMALISED_SCALE * (0.5 * 0.4 / 3 + 1.5 * 2 / 3)
    assert spatial_loss(STUDENT, TEACHER, GATE).item() == pytest.approx(expected)


def test_normalised_form_does_not_depend_on_the_size_of_the_map() -> None:
    larger = [x.repeat_interleave(4, dim=3).repeat_interleave(2, dim=4) for x in (STUDENT, TEACHER)]
    torch.testing.assert_close(spatial_loss(*larger, GATE), spatial_loss(STUDENT, TEACHER, GATE))


@pytest.mark.parametrize("form", ["normalised", "mean", "literal"])
def test_identical_maps_cost_nothing(form: str) -> None:
    assert spatial_loss(STUDENT, STUDENT.clone(), GATE, form).item() == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["normalised", "mean", "literal"])
def test_gradients(form: str) -> None:
    draw = torch.Generator().manual_seed(0)
    maps = [torch.randn(2, 3, 4, 1, 2, generator=draw, dtype=torch.float64) for _ in range(2)]
    gate = torch.rand(2, 3, generator=draw, dtype=torch.float64).requires_grad_()
    student = maps[0].requires_grad_()
    assert torch.autograd.gradcheck(lambda s, g: spatial_loss(s, maps[1], g, form), (student, gate))  # type: ignore[arg-type]


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 2, 2, 1, 3\).*\(1, 1, 2, 1, 3\)"):
        spatial_loss(STUDENT, TEACHER[:, :1], GATE)


def test_gate_statistics() -> None:
    found = gate_statistics(torch.tensor([[1.0, torch.e], [torch.e**2, torch.e**3]]))
    expected = {
        "gate/log_mean": 1.5,
        "gate/log_std": 1.25**0.5,
        "gate/alpha_1": (1 + torch.e**2) / 2,
        "gate/alpha_2": (torch.e + torch.e**3) / 2,
    }
    assert {name: value.item() for name, value in found.items()} == pytest.approx(expected)
